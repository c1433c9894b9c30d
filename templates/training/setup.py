"""From a command line to a run: translate, parse, open the communication between the ranks."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.training import deepspeed_config, flags, hardware, smaller
from templates.training.arguments import RunArguments, RunFolders
from templates.training.batch import Batch
from templates.training.batch import going_on as fit_batch
from templates.training.heartbeat import Heartbeat
from templates.training.metrics import Metrics

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from templates.training.ranks import Ranks
    from templates.training.start import Start

# Progress bars would fill the log file with redrawn lines.
_QUIET = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@dataclass(frozen=True, slots=True)
class Run:
    """What the parts of one training share.

    Attributes:
        asked: Our own flags.
        training: Hugging Face's.
        translated: What became of the command line.
        folders: Where the run keeps what.
        metrics: Where it tells what happens; writes on rank 0 only.
        zero_stage: DeepSpeed's ZeRO stage, 0 without DeepSpeed.
        ranks: How the ranks agree on files.
        batch: How a step's rows are dealt out.
        words: The command line that `training` was parsed from.
    """

    asked: RunArguments
    training: TrainingArguments
    translated: flags.Translated
    folders: RunFolders
    metrics: Metrics
    zero_stage: int
    ranks: Ranks
    batch: Batch
    words: tuple[str, ...]

    @property
    def with_deepspeed(self) -> bool:
        """Whether DeepSpeed trains."""
        return self.training.deepspeed is not None


def prepare(argv: list[str]) -> Run:
    """Make a run of a command line.

    Raises:
        ValueError: The flags or the DeepSpeed configuration make no sense.
    """
    machine = hardware.probe()
    if not machine.gpus:
        os.environ["DS_ACCELERATOR"] = "cpu"
    os.environ.update(_QUIET)
    # DeepSpeed calls torch by names that torch renames: once for each collective, in a log that people read.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    translated = flags.translate(argv, machine)
    os.environ.update(translated.environment)
    words, config, notes = _adapt_deepspeed(translated, machine)
    # The agent counts how often the GPU ran full.
    words, smaller_note = smaller.shrink(words, int(os.environ.get("LLAMALIFT_HALVINGS", "0")))
    asked, training = _parse(words)
    folders = RunFolders.beside(training.output_dir, asked.llamalift_scratch)
    for root in folders.roots:
        root.mkdir(parents=True, exist_ok=True)
    metrics = _metrics(folders, is_first=training.process_index == 0, beats=training.local_process_index == 0)
    for note in (*translated.notes, *notes, *([smaller_note] if smaller_note else [])):
        metrics.note(note)
    if config is not None:
        _open_communication(machine)
    stage = deepspeed_config.zero_stage(config)
    return Run(asked, training, translated, folders, metrics, stage, _open_ranks(), _batch_of(training), tuple(words))


def going_on(run: Run, start: Start, *, universal: bool) -> Run:
    """Fit a run to the checkpoint that it goes on from: the same rows a step, whatever the number of processes.

    Args:
        run: What the command line asks for.
        start: The checkpoint.
        universal: The checkpoint was converted for another number of processes.

    Raises:
        RowsError: The rows of the checkpoint's steps cannot be made.
    """
    batch = fit_batch(run.batch, start.manifest)
    if batch.rows == run.batch.rows and batch.micro == run.batch.micro and not universal:
        return replace(run, batch=batch)
    words = [*run.words, "--per_device_train_batch_size", str(batch.micro)]
    words += ["--gradient_accumulation_steps", str(batch.accumulation)]
    if universal:
        place = words.index("--deepspeed") + 1
        words[place] = json.dumps({**json.loads(words[place]), "checkpoint": {"load_universal": True}})
    if batch.rows != run.batch.rows:
        run.metrics.note(
            f"a step keeps its {batch.rows} rows: {batch.processes} processes x {batch.micro} rows x "
            f"{batch.accumulation} times"
        )
    asked, training = _parse(words)
    return replace(run, asked=asked, training=training, batch=batch, words=tuple(words))


def _batch_of(training: TrainingArguments) -> Batch:
    return Batch.asked(training.train_batch_size, training.gradient_accumulation_steps, training.world_size)


def _open_ranks() -> Ranks:
    from templates.training.ranks import Ranks

    return Ranks()


def _metrics(folders: RunFolders, *, is_first: bool, beats: bool) -> Metrics:
    """Events are told on the first rank of all; signs of life on the first of each machine, to that machine's agent."""
    records = os.environ.get("LLAMALIFT_ATTEMPT_DIR")
    heartbeat = Heartbeat(Path(records) / "heartbeat.json" if records and beats else None)
    return Metrics(folders.metrics if is_first else None, heartbeat)


def _adapt_deepspeed(
    translated: flags.Translated, machine: hardware.Hardware
) -> tuple[list[str], dict[str, Any] | None, tuple[str, ...]]:
    """Give the command line with the adapted DeepSpeed configuration in it, in place of its file's name."""
    words = list(translated.argv)
    if "--deepspeed" not in words:
        return words, None, ()
    place = words.index("--deepspeed") + 1
    try:
        asked = json.loads(Path(words[place]).read_text())
    except (OSError, IndexError, json.JSONDecodeError) as error:
        raise ValueError(f"cannot read the DeepSpeed configuration: {error}") from error
    adapted = deepspeed_config.adapt(asked, machine, translated.precision)
    if os.environ.get("LLAMALIFT_HALVINGS", "0") != "0":
        smaller.shrink_deepspeed(adapted.config)
    words[place] = json.dumps(adapted.config)
    return words, adapted.config, adapted.notes


def _parse(words: list[str]) -> tuple[RunArguments, TrainingArguments]:
    from transformers import HfArgumentParser, TrainingArguments

    asked, training = HfArgumentParser((RunArguments, TrainingArguments)).parse_args_into_dataclasses(args=words)
    if not training.output_dir:
        raise ValueError("--output_dir is missing")
    return asked, training


def _open_communication(machine: hardware.Hardware) -> None:
    """Start DeepSpeed's own communication before any model is loaded: else ZeRO-3 takes itself for a single process."""
    import deepspeed

    if not machine.gpus:
        # Serves inference alone, and would be compiled here first: 40 seconds, 4 GiB and a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="nccl" if machine.gpus else "gloo")
