"""From a command line to a run: translate, parse, open the communication between the ranks."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from templates.training import deepspeed_config, flags, hardware, smaller, tracking
from templates.training.arguments import RunArguments, RunFolders
from templates.training.batch import Batch
from templates.training.batch import going_on as fit_batch
from templates.training.heartbeat import Heartbeat
from templates.training.lora import Lora
from templates.training.metrics import Metrics
from templates.training.packing import UNPADDED, Packing, fit_packs

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
        hardware: What the machine can do.
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
    hardware: hardware.Hardware

    @property
    def packing(self) -> Packing:
        """How rows are laid into batches."""
        return cast("Packing", self.asked.packing)

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
        # Else DeepSpeed asks numactl, a process of its own, before each reduction: 15 % of a step of a tiny model of 24
        # layers.
        os.environ.setdefault("LOCAL_SIZE", os.environ.get("LOCAL_WORLD_SIZE", "1"))
    os.environ.update(_QUIET)
    # DeepSpeed calls torch by names that torch renames: once for each collective, in a log that people read.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    # And peft by names that Transformers renames.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.modeling_utils")
    translated = flags.translate(argv, machine)
    os.environ.update(translated.environment)
    words, config, notes = _adapt_deepspeed(translated, machine)
    # The agent counts how often the GPU ran full.
    words, smaller_note = smaller.shrink(words, int(os.environ.get("LLAMALIFT_HALVINGS", "0")))
    asked, training = _parse(words)
    _check_adapters(asked, machine)
    folders = RunFolders.beside(training.output_dir, asked.llamalift_scratch)
    for root in folders.roots:
        root.mkdir(parents=True, exist_ok=True)
    metrics = _metrics(folders, is_first=training.process_index == 0, beats=training.local_process_index == 0)
    _link_trackers(folders.metrics.parent)
    for note in (*translated.notes, *notes, *([smaller_note] if smaller_note else [])):
        metrics.note(note)
    if config is not None:
        _open_communication(machine)
    stage = deepspeed_config.zero_stage(config)
    ranks, batch = _open_ranks(), _batch_of(training)
    return Run(asked, training, translated, folders, metrics, stage, ranks, batch, tuple(words), machine)


def settle_packing(run: Run, start: Start) -> Run:
    """Settle the packing where the machine was to choose.

    It is what the checkpoint's rows had, since their order depends on it; without one, what the model's code can do.
    """
    from templates.training.model import attends_alone

    if not run.translated.chose_packing:
        return run
    if recorded := (start.manifest.get("run") or {}).get("packing"):
        return _packed(run, recorded, "as in the checkpoint")
    if run.packing in UNPADDED and not attends_alone(run.asked.model_name_or_path, run.asked.cache_dir):
        return _packed(run, "group_by_length", "the model's code does not keep rows apart that lie side by side")
    return run


def _packed(run: Run, packing: str, reason: str) -> Run:
    if packing == run.packing:
        return run
    run.metrics.note(f"--packing is {packing}: {reason}")
    sampling = "group_by_length" if packing == "group_by_length" else "random"
    return _with_words(run, "--packing", packing, "--train_sampling_strategy", sampling)


def fit_to_packs(run: Run, rows: int, packs: int) -> Run:
    """Deal out as many packs a step as hold about the rows that were asked for.

    Args:
        run: What the command line asks for.
        rows: All rows.
        packs: What they were packed into; 0 without packing.
    """
    if not packs:
        return run
    asked = run.batch
    fitted = fit_packs(asked.micro, asked.accumulation, rows / packs)
    run.metrics.note(
        f"packing {run.packing}: {rows:,} rows in {packs:,} packs; a step takes {fitted.micro} x {fitted.accumulation} "
        f"packs of each process, about {fitted.rows:.0f} rows for the {asked.group} that were asked for"
    )
    batch = Batch.asked(fitted.micro, fitted.accumulation, asked.processes)
    return replace(_with_batch(_without_own_figures(run), batch), batch=batch)


def _without_own_figures(run: Run) -> Run:
    """A DeepSpeed configuration that counts rows itself would contradict the packs."""
    if not run.with_deepspeed:
        return run
    words = list(run.words)
    place = words.index("--deepspeed") + 1
    config = json.loads(words[place])
    smaller.shrink_deepspeed(config)
    words[place] = json.dumps(config)
    return replace(run, words=tuple(words))


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
    if universal:
        words = list(run.words)
        place = words.index("--deepspeed") + 1
        words[place] = json.dumps({**json.loads(words[place]), "checkpoint": {"load_universal": True}})
        run = replace(run, words=tuple(words))
    if batch.rows != run.batch.rows:
        run.metrics.note(
            f"a step keeps its {batch.rows} rows: {batch.processes} processes x {batch.micro} rows x "
            f"{batch.accumulation} times"
        )
    return replace(_with_batch(run, batch), batch=batch)


def _with_batch(run: Run, batch: Batch) -> Run:
    words = [
        "--per_device_train_batch_size",
        str(batch.micro),
        "--gradient_accumulation_steps",
        str(batch.accumulation),
    ]
    return _with_words(run, *words)


def _with_words(run: Run, *more: str) -> Run:
    """The same run with flags that go before the earlier ones."""
    words = (*run.words, *more)
    asked, training = _parse(list(words))
    return replace(run, asked=asked, training=training, words=words)


def _check_adapters(asked: RunArguments, machine: hardware.Hardware) -> None:
    if asked.lora is None or Lora.from_json(asked.lora).quantize == "none":
        return
    if not machine.bitsandbytes:
        raise ValueError("weights in 4 bits (lora.quantize: nf4) need an NVIDIA GPU and bitsandbytes, found: neither")


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


def _link_trackers(run_folder: Path) -> None:
    """Before any tracker is imported; what the user has set in the run's environment goes first."""
    # W&B writes elsewhere when its folder is missing.
    (run_folder / tracking.FOLDER).mkdir(exist_ok=True)
    offline = os.environ.get("WANDB_MODE") == "offline"
    wanted = tracking.environment(run_folder, os.environ.get("LLAMALIFT_STAGE", ""), offline=offline)
    os.environ.update({name: value for name, value in wanted.items() if name not in os.environ})


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

    words, further_trackers = flags.first_tracker(words)
    asked, training = HfArgumentParser((RunArguments, TrainingArguments)).parse_args_into_dataclasses(args=words)
    training.report_to = [*training.report_to, *further_trackers]
    if not training.output_dir:
        raise ValueError("--output_dir is missing")
    return asked, training


def _open_communication(machine: hardware.Hardware) -> None:
    """Start DeepSpeed's own communication before any model is loaded: else ZeRO-3 takes itself for a single process."""
    import deepspeed

    if machine.gpus:
        import torch

        # cuDNN's is preferred on Hopper, and planned anew for every length of rows: a step takes 15 to 40 % longer
        # (seen on an H200, torch 2.11). PyTorch's own fused kernels need no plans.
        torch.backends.cuda.enable_cudnn_sdp(enabled=False)
    else:
        # Serves inference alone, and would be compiled here first: 40 seconds, 4 GiB and a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="nccl" if machine.gpus else "gloo")
