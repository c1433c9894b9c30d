"""Checkpoints of machines with local disks: the first machine has the whole one, the others fetch what they need of it.

DeepSpeed writes each rank's shard on its own machine. Before a checkpoint is described and gets its name, the other
machines' files are merged into it, so that it is complete only as a whole; at a start the others get it back. The files
travel through the training's own processes: no further port, no further trust. On one machine nothing is done.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.training import checkpoints, exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from templates.training.ranks import Ranks
    from templates.training.save_guard import SaveGuard
    from templates.training.setup import Run

FETCHED = "from-first-machine"
_CHUNK_BYTES = 32 << 20
_WEIGHTS = re.compile(r"model.*\.safetensors")
# Only the rank that wrote it reads it again.
_OF_RANK = re.compile(r"zero_pp_rank_(\d+)_|rng_state_(\d+)\.")


def gather(ranks: Ranks, written: Path, guard: SaveGuard) -> None:
    """Merge what the other machines have written of a checkpoint into the first one's (all ranks take part).

    Args:
        ranks: The ranks.
        written: The checkpoint's folder before it has its name; the same path on each machine.
        guard: Keeps a failure to write here; the other machines' files are taken all the same.
    """
    if ranks.leaders_group is None:
        return
    if ranks.is_leader:
        lists = _all_lists(ranks, [] if ranks.is_first else _files(written))
        for leader, files in zip(ranks.leaders, lists, strict=True):
            for name, size in files:
                if ranks.is_first:
                    _receive(ranks, leader, written / name, size, guard)
                elif leader == ranks.rank:
                    _send(ranks, written / name, size)
        if not ranks.is_first:
            shutil.rmtree(guard.folder)
    ranks.barrier()


def fetch(run: Run, checkpoint: Path | None) -> Path | None:
    """Give where this machine has the checkpoint to go on from (all ranks take part).

    On the first machine that is `checkpoint` itself; the others get a copy, without what no rank of theirs reads.

    Raises:
        OSError: A disk refused.
    """
    ranks = run.ranks
    if ranks.leaders_group is None:
        return checkpoint
    here = run.folders.markers.parent / FETCHED
    if ranks.is_leader and not ranks.is_first:
        shutil.rmtree(here, ignore_errors=True)
    if checkpoint is None:
        return None
    is_here = ranks.rank < ranks.here
    target = checkpoint if is_here else here / checkpoint.name
    if ranks.is_leader:
        files = _all_lists(ranks, _needed(checkpoint) if ranks.is_first else [])[0]
        for name, size in files:
            _broadcast(ranks, checkpoint / name, target / name, size)
    ranks.barrier()
    return target


def with_marker(run: Run, code: int) -> int:
    """Give the exit code; where training has succeeded, tell so to the agents of the other machines, too."""
    from templates.training.finish import MARKER

    if code == exit_codes.OK and run.ranks.is_leader and not run.ranks.is_first:
        run.folders.markers.mkdir(exist_ok=True)
        checkpoints.write_durably(run.folders.markers / MARKER, json.dumps({"first_machine": "has the model"}))
    return code


def _files(folder: Path) -> list[tuple[str, int]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path.relative_to(folder)), path.stat().st_size) for path in paths]


def _needed(checkpoint: Path) -> list[tuple[str, int]]:
    """What a start reads: with DeepSpeed the model's weights are in the shards."""
    with_shards = any(checkpoint.glob("global_step*"))
    return [(name, size) for name, size in _files(checkpoint) if not (with_shards and _WEIGHTS.fullmatch(name))]


def _all_lists(ranks: Ranks, mine: list[tuple[str, int]]) -> list[list[tuple[str, int]]]:
    import torch.distributed as dist

    lists: list[Any] = [None] * len(ranks.leaders)
    dist.all_gather_object(lists, mine, group=ranks.leaders_group)
    return lists


def _send(ranks: Ranks, path: Path, size: int) -> None:
    import torch.distributed as dist

    for piece in _pieces(path, size):
        dist.send(piece, dst=0, group=ranks.leaders_group)


def _receive(ranks: Ranks, leader: int, path: Path, size: int, guard: SaveGuard) -> None:
    """What is here already stays; what cannot be written is received all the same, since it is being sent."""
    import torch
    import torch.distributed as dist

    is_new = not path.exists()
    guard.attempt(lambda: path.parent.mkdir(parents=True, exist_ok=True))
    if is_new:
        guard.attempt(path.touch)
    for length in _lengths(size):
        piece = torch.empty(length, dtype=torch.uint8)
        dist.recv(piece, src=leader, group=ranks.leaders_group)
        if is_new:
            guard.attempt(partial(_append, path, piece))


def _append(path: Path, piece: torch.Tensor) -> None:
    with path.open("ab") as file:
        file.write(memoryview(piece.numpy()))


def _broadcast(ranks: Ranks, source: Path, target: Path, size: int) -> None:
    import torch
    import torch.distributed as dist

    if ranks.is_first:
        for piece in _pieces(source, size):
            dist.broadcast(piece, src=0, group=ranks.leaders_group)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target if _is_read_here(ranks, target.name) else Path(os.devnull)).open("wb") as file:
        for length in _lengths(size):
            piece = torch.empty(length, dtype=torch.uint8)
            dist.broadcast(piece, src=0, group=ranks.leaders_group)
            file.write(memoryview(piece.numpy()))


def _is_read_here(ranks: Ranks, name: str) -> bool:
    match = _OF_RANK.search(name)
    owner = None if match is None else int(match[1] or match[2])
    return owner is None or ranks.rank <= owner < ranks.rank + ranks.here


def _pieces(path: Path, size: int) -> Iterator[torch.Tensor]:
    import torch

    with path.open("rb") as file:
        for length in _lengths(size):
            data = bytearray(file.read(length))
            if len(data) != length:
                raise OSError(f"a checkpoint's file became shorter while it was sent: {path.name}")
            yield torch.frombuffer(data, dtype=torch.uint8)


def _lengths(size: int) -> Iterator[int]:
    return (min(_CHUNK_BYTES, size - start) for start in range(0, size, _CHUNK_BYTES))
