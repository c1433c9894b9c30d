"""A checkpoint of another number of processes, converted by DeepSpeed's own universal checkpoint.

ZeRO cuts the optimizer's state into as many shards as there are processes. `ds_to_universal` puts the pieces together,
parameter by parameter, and DeepSpeed cuts them anew when `checkpoint.load_universal` is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from templates.training import prune
from templates.training.errors import ConversionError, NoSpaceError
from templates.training.leftovers import UNIVERSAL

if TYPE_CHECKING:
    from pathlib import Path

    from templates.training.setup import Run
    from templates.training.start import Start

# Weights and pickles that a start does not read.
_NOT_NEEDED = ("*.safetensors*", "training_args.bin", "latest", "*.py")
_LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def is_needed(run: Run, start: Start) -> bool:
    """Whether the checkpoint is one of another number of processes, whose shards do not fit."""
    then = start.manifest.get("world_size")
    return bool(start.folder and run.zero_stage and then not in {None, run.training.world_size})


def folder_for(run: Run, start: Start) -> Path | None:
    """Give the folder to go on from: the checkpoint itself, or what it was converted into (all ranks take part).

    Raises:
        NoSpaceError: The conversion does not fit on the disk.
        ConversionError: DeepSpeed cannot convert it.
    """
    checkpoint, then, now = start.folder, start.manifest.get("world_size"), run.training.world_size
    if checkpoint is None or not is_needed(run, start):
        return checkpoint
    run.metrics.note(f"{checkpoint.name} is of {then} processes, and here are {now}: it is converted")
    return run.ranks.first(lambda: convert(checkpoint, start.step, processes=now))


def convert(checkpoint: Path, step: int, *, processes: int) -> Path:
    """Convert a DeepSpeed checkpoint of any number of processes, beside it; the checkpoint itself is only read.

    The folder begins with `leftovers.UNIVERSAL`: whatever a crash leaves of it is removed at the next start.

    Args:
        checkpoint: A complete checkpoint.
        step: Its step.
        processes: How many are going to load it.

    Raises:
        NoSpaceError: It does not fit on the disk.
        ConversionError: DeepSpeed cannot convert it.
        OSError: The disk refused.
    """
    target = checkpoint.with_name(f"{UNIVERSAL}{checkpoint.name}")
    source = checkpoint / f"global_step{step}"
    _check_room(checkpoint, source, processes)
    try:
        shutil.copytree(checkpoint, target, ignore=shutil.ignore_patterns(*_NOT_NEEDED, source.name))
        _fit_random_states(target, processes)
        _run_converter(source, target / f"{source.name}_universal")
    except (OSError, ConversionError):
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def _check_room(checkpoint: Path, source: Path, processes: int) -> None:
    # Every shard as pieces, and then every parameter whole before the pieces go.
    needed = 2 * sum(path.stat().st_size for path in source.iterdir())
    short, _ = prune.make_room(checkpoint.parent, needed)
    if short:
        raise NoSpaceError(
            f"converting {checkpoint.name} for {processes} processes takes {needed:,} bytes: {short:,} bytes short"
        )


def _fit_random_states(target: Path, processes: int) -> None:
    """The Trainer looks under another name when it is alone. Ranks that were not there begin from the seed."""
    alone, first = target / "rng_state.pth", target / "rng_state_0.pth"
    if processes == 1 and first.exists():
        first.rename(alone)
    elif processes > 1 and alone.exists():
        alone.rename(first)


def _run_converter(source: Path, target: Path) -> None:
    argv = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", "--inject_missing_state"]
    # One shard in memory at a time: they are gigabytes each, and the disk is what takes the time.
    argv += ["--num_extract_workers", "1", "--num_merge_workers", "1"]
    argv += ["--input_folder", str(source), "--output_folder", str(target)]
    environment = {name: value for name, value in os.environ.items() if name not in _LAUNCHER_VARIABLES}
    environment |= {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    # A process of its own: what it needs of memory is gone when training begins.
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode or not (target.parent / "latest_universal").exists():
        last = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
        raise ConversionError(
            f"DeepSpeed could not convert {source.parent.name} for another number of processes: {last}"
        )
