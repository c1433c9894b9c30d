"""Checkpoints as the trainer writes them, without a trainer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from templates.training import checkpoints

if TYPE_CHECKING:
    from pathlib import Path


def write_checkpoint(folder: Path, step: int, *, size: int = 1000) -> Path:
    """Write a complete checkpoint with a shard of `size` bytes that differ from step to step."""
    target = checkpoints.checkpoint_folder(str(folder), step)
    written = checkpoints.staging_folder(target) / target.name
    shards = written / f"global_step{step}"
    shards.mkdir(parents=True)
    (written / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    (written / "latest").write_text(f"global_step{step}")
    (shards / "empty.pt").touch()
    (shards / "shard.pt").write_bytes((str(step).encode() * size)[:size])
    checkpoints.commit(target, step=step, world_size=1)
    return target


def steps_in(folder: Path) -> list[int]:
    """The steps of the checkpoint folders, lowest first."""
    return sorted(int(path.name.rpartition("-")[2]) for path in folder.glob("checkpoint-*"))


def same_content(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    names = [
        sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in (one, other)
    ]
    return names[0] == names[1] and all((one / name).read_bytes() == (other / name).read_bytes() for name in names[0])
