"""The trainer of a run: its data, its model and perhaps adapters, put together as the command line asks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import set_seed
from transformers.utils import CONFIG_NAME, cached_file

from templates.training import adapters, dataset, deepspeed_config, prompts, row_attention
from templates.training import model as models
from templates.training.base_check import shapes_in
from templates.training.collating import collator_for
from templates.training.errors import DataError
from templates.training.homes import folder_for_saves
from templates.training.lora import Lora
from templates.training.packing import UNPADDED
from templates.training.trainer import LiftTrainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import datasets
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from templates.training.setup import Run


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on.

    Attributes:
        tokenizer: Equipped for the prompt format.
        words_before: Tokens that it had before that.
        rows: The rows, or the packs that they were put into.
        counts: What became of the rows.
    """

    tokenizer: PreTrainedTokenizerBase
    words_before: int
    rows: datasets.Dataset
    counts: dataset.Counts


def load_data(run: Run) -> Data:
    """Tokenise the data, or open what an earlier attempt tokenised (all ranks take part).

    Raises:
        DataError: The data or the tokenizer cannot be trained on.
    """
    asked = run.asked
    tokenizer = models.load_tokenizer(asked.model_name_or_path, asked.model_max_length, asked.cache_dir)
    words_before = len(tokenizer)
    prompts.equip(asked.prompt_format, tokenizer)
    shape = dataset.Shape(asked.prompt_format, asked.model_max_length, run.packing)
    with run.training.main_process_first(local=True, desc="tokenising"):
        folder = dataset.prepare(Path(asked.data_path), tokenizer, shape, run.folders.data)
    rows, counts = dataset.load(folder)
    for note in _data_notes(run, counts):
        run.metrics.note(note)
    run.metrics.event("data", rows=counts.rows, tokens=counts.tokens, packs=counts.packs)
    return Data(tokenizer, words_before, rows, counts)


def _data_notes(run: Run, counts: dataset.Counts) -> list[str]:
    notes = []
    if counts.truncated:
        notes.append(f"rows cut at --model_max_length {run.asked.model_max_length}: {counts.truncated}")
    if counts.dropped:
        notes.append(f"{counts.dropped} rows are left out: the prompt alone fills --model_max_length")
    if counts.last_only:
        notes.append(f"conversations whose last answer alone is learnt, for the chat template: {counts.last_only}")
    if counts.unlearnt:
        notes.append(f"tokens of answers that are not learnt because a pack begins with them: {counts.unlearnt}")
    return notes


def make_trainer(run: Run, data: Data, identity: Mapping[str, Any], *, keep: int) -> tuple[LiftTrainer, dict[str, Any]]:
    """Load the model and make its trainer (all ranks take part).

    Args:
        run: What the command line asks for.
        data: The rows.
        identity: What a manifest says about its run.
        keep: Complete checkpoints that stay where they are durable.

    Returns:
        The trainer, and what the model's manifest says of it: among it `parameters` and how many of them are `trained`.

    Raises:
        DataError: The model's code would let rows that are packed see each other.
    """
    asked, training = run.asked, run.training
    set_seed(training.seed)
    lora = None if asked.lora is None else Lora.from_json(asked.lora)
    model = _load_model(run, lora)
    before = _shapes(run, model, lora, added=0)
    if added := models.fit_embeddings(model, data.tokenizer):
        words = data.tokenizer.convert_ids_to_tokens(range(len(data.tokenizer) - added, len(data.tokenizer)))
        run.metrics.note(f"{added} token{'s' * (added > 1)} added to the vocabulary: {', '.join(words)}")
    models.stop_at(model, prompts.end_id(asked.prompt_format, data.tokenizer))
    shapes = _shapes(run, model, lora, added=added)
    facts: dict[str, Any] = {
        "base": str(Path(asked.model_name_or_path).resolve()),
        "base_parameters": _count(before),
        "added_tokens": added,
        "parameters": _count(shapes),
    }
    attention = str(model.config._attn_implementation)  # noqa: SLF001 - there is no public word for what was chosen
    trained = model
    if lora is not None:
        trained = adapters.with_adapters(model, lora, learns_words=len(data.tokenizer) > data.words_before)
    facts["trained"] = adapters.trained_parameters(trained)
    run.metrics.note(_kernels_note(run, attention, facts))
    if run.with_deepspeed:
        for note in deepspeed_config.fit_buckets(training.hf_deepspeed_config.config, facts["trained"]):
            run.metrics.note(note)
    saves = folder_for_saves(run, facts["trained"])
    training.output_dir = str(saves)
    trainer = LiftTrainer(
        model=trained,
        args=training,
        train_dataset=data.rows,
        data_collator=collator_for(run.packing, data.tokenizer, attention),
        processing_class=data.tokenizer,
        metrics=run.metrics,
        ranks=run.ranks,
        batch=run.batch,
        facts={"run": identity, "zero_stage": run.zero_stage, "model": facts, **run.batch.facts()},
        shapes=shapes,
        # What is durable is counted by the drain.
        keep=keep if saves == run.folders.checkpoints else 1,
    )
    return trainer, facts


def _load_model(run: Run, lora: Lora | None) -> PreTrainedModel:
    # DeepSpeed keeps its own fp32 master weights; without it the model's weights are the master weights.
    dtype = models.DTYPES[run.translated.precision] if run.with_deepspeed else torch.float32
    quantized = adapters.quantization(lora, dtype)
    options = {} if quantized is None else {"quantization_config": quantized}
    options |= adapters.placement(lora, run.zero_stage)
    name, cache = run.asked.model_name_or_path, run.asked.cache_dir
    attention = _attention(run, dtype)
    try:
        model = models.load_model(name, dtype, cache, attention, **options)
    except ValueError:
        if run.asked.attention != "auto" or attention is None:
            raise
        # The model's code knows no FlashAttention: whatever it knows serves as well.
        model = models.load_model(name, dtype, cache, None, **options)
    if run.packing in UNPADDED and not models.keeps_rows_apart(model):
        family = model.config.model_type
        raise DataError(f"--packing {run.packing} would let rows see each other in models of this family: {family}")
    return model


def _attention(run: Run, dtype: torch.dtype) -> str | None:
    """Transformers' name of the attention; None: the best that the model's own code knows without more."""
    if run.asked.attention != "auto":
        return run.asked.attention
    if run.hardware.flash_attention and dtype != torch.float32:
        return run.hardware.flash_attention
    alone = run.packing in UNPADDED and models.attends_alone(run.asked.model_name_or_path, run.asked.cache_dir)
    return row_attention.register() if alone else None


def _shapes(run: Run, model: PreTrainedModel, lora: Lora | None, *, added: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the model's parameters, whole and in 16 bits also where they are shared out or kept in 4 bits."""
    found = models.whole_shapes(model)
    if lora is None or lora.quantize == "none":
        return found
    config = cached_file(run.asked.model_name_or_path, CONFIG_NAME, cache_dir=run.asked.cache_dir)
    words = model.config.vocab_size - added
    stored = shapes_in(Path(str(config)).parent)
    grown = {name: (shape[0] + added * (shape[0] == words), *shape[1:]) for name, shape in stored.items()}
    return {name: grown.get(name, shape) for name, shape in found.items()}


def _count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _kernels_note(run: Run, attention: str, facts: Mapping[str, Any]) -> str:
    """What computes, in one line of the log."""
    words = [f"attention {attention}", f"packing {run.packing}"]
    if run.with_deepspeed:
        words.append(f"ZeRO-{run.zero_stage}")
    if facts["trained"] != facts["parameters"]:
        share = facts["trained"] / facts["parameters"]
        words.append(f"adapters of {facts['trained']:,} parameters ({share:.2%} of the model)")
    return f"trains with: {', '.join(words)}"
