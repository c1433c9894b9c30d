"""The final model: gathered or put together, checked tensor by tensor, complete under its name or not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from templates.training import alpaca, checkpoints, lora, prompts
from templates.training.consolidate import consolidated
from templates.training.errors import ModelError
from templates.training.linked import close_trackers
from templates.training.merge import merge_apart
from templates.training.model import DTYPES
from templates.training.tracking import pack
from templates.training.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transformers import PreTrainedTokenizerBase

    from templates.training.setup import Run
    from templates.training.trainer import LiftTrainer


def save_final(
    trainer: LiftTrainer,
    target: Path,
    run: Run,
    *,
    facts: Mapping[str, Any],
    checkpoint: Path | None,
) -> None:
    """Save the trained model (all ranks take part) with tokenizer, prompt format and manifest.

    Args:
        trainer: Whose training is over.
        target: The model's folder.
        run: What was trained. Its precision is what the model is saved in; gathered under DeepSpeed, it has DeepSpeed's
            own 16-bit type, which is the same. Adapters are saved, and merged into the base as well.
        facts: What its manifest says of the model.
        checkpoint: A complete checkpoint of the last step to put it together from; None gathers it from the ranks.

    Raises:
        ModelError: A tensor is missing, misshaped or not finite.
        NoSpaceError: It could not be written.
    """
    written = trainer.ranks.first(lambda: checkpoints.begin(target))
    trainer.model.config.use_cache = True
    dtype = DTYPES[run.translated.precision]
    if trainer.has_adapters:
        trainer.save_whole(written / lora.FOLDER)
        trainer.ranks.first(lambda: _merge(run, written))
    elif checkpoint:
        trainer.save_alone(written, lambda: consolidated(checkpoint, dtype))
    else:
        if not trainer.is_deepspeed_enabled:
            trainer.model.to(dtype)
        trainer.save_whole(written)
    trainer.ranks.first(lambda: _take_curation_along(Path(run.asked.data_path).parent, written))
    trainer.ranks.first(lambda: _complete(trainer, target, written, run.asked.prompt_format, facts))


def _merge(run: Run, written: Path) -> None:
    adapter = written / lora.FOLDER
    (adapter / "training_args.bin").unlink(missing_ok=True)
    run.metrics.note("the adapters are merged into the base; they stay beside it in the folder adapter")
    asked = run.asked
    merge_apart(
        asked.model_name_or_path,
        adapter,
        written,
        dtype=run.translated.precision,
        prompt_format=asked.prompt_format,
        cache_dir=asked.cache_dir,
    )


def _complete(
    trainer: LiftTrainer,
    target: Path,
    written: Path,
    prompt_format: str,
    facts: Mapping[str, Any],
) -> None:
    # The Trainer's pickled arguments: of no use to a model's user, and a pickle that nobody should load.
    (written / "training_args.bin").unlink(missing_ok=True)
    _write_prompt_format(written, prompt_format, trainer.processing_class)
    if trainer.metrics.run_folder:
        close_trackers()
        pack(trainer.metrics.run_folder, written)
    # The shapes are the model's at hand: making another one here would wait for the other ranks under ZeRO-3.
    if problems := list(tensor_problems(written, trainer.shapes)):
        raise ModelError(f"the saved model is not whole: {'; '.join(problems[:5])}")
    checkpoints.commit(target, step=trainer.state.global_step, versions=versions(), model=dict(facts))


def tensor_problems(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Compare every tensor in the safetensors files with the shapes that the model has."""
    seen: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                tensor = file.get_tensor(name)
                seen.add(name)
                if tuple(tensor.shape) != expected.get(name, tuple(tensor.shape)):
                    yield f"{name} has shape {tuple(tensor.shape)} instead of {expected[name]}"
                elif not torch.isfinite(tensor).all():
                    yield f"{name} is not finite"
    yield from (f"{name} is missing" for name in sorted(expected.keys() - seen))


def _take_curation_along(data: Path, folder: Path) -> None:
    """What the data was curated by belongs to the model: templates/curation/step.py has left it beside the data."""
    for report in data.glob("curation.*"):
        shutil.copyfile(report, folder / report.name)


def _write_prompt_format(folder: Path, name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write down how to ask the model: it answers well only to the prompt that it was trained with."""
    words = {
        "name": name,
        "end": prompts.end_of_answer(name, tokenizer),
        **({"with_input": alpaca.WITH_INPUT, "without_input": alpaca.WITHOUT_INPUT} if name == "alpaca" else {}),
    }
    (folder / prompts.FILE).write_text(json.dumps(words, indent=1) + "\n")
