"""A full disk on one rank must not leave the others waiting: what fails is kept until all ranks can talk about it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deepspeed import DeepSpeedEngine
    from deepspeed.runtime.checkpoint_engine.checkpoint_engine import CheckpointEngine


_SMALL_BYTES = 1 << 16
_FULL_DISK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a save came to nothing.

    Attributes:
        kind: `disk_full` or `save_failed`.
        text: The error, with the bytes that were free when it came.
    """

    kind: str
    text: str


class SaveGuard:
    """What went wrong while this rank wrote its part of a save."""

    def __init__(self, folder: Path) -> None:
        """Guard writing under `folder`, which is thrown away when anything fails."""
        self.folder = folder
        self.error: Exception | None = None
        self._free_bytes = 0

    def attempt(self, write: Callable[[], object]) -> None:
        """Write, and keep what is raised; after a failure nothing more is written, and its room is given back."""
        if self.error is not None:
            return
        try:
            write()
        except Exception as error:  # noqa: BLE001 - torch and safetensors each have their own; `words` tells
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Keep the error; what this rank's part holds so far makes room for the few bytes that others still write."""
        self.error = error
        self._free_bytes = shutil.disk_usage(self.folder.parent).free
        for path in self.folder.rglob("*"):
            with suppress(FileNotFoundError):  # another rank's temporary file
                if path.is_file() and path.stat().st_size > _SMALL_BYTES:
                    os.truncate(path, 0)

    def failure(self) -> Failure | None:
        """Say what went wrong; None when nothing did."""
        if self.error is None:
            return None
        # By what was free, and not by the error: torch's and safetensors' are not the system's.
        kind = "disk_full" if self._free_bytes < _FULL_DISK_BYTES else "save_failed"
        return Failure(kind, f"{self.error} ({self._free_bytes:,} bytes free)")


class GuardedEngine:
    """DeepSpeed's checkpoint engine, which writes under a guard; everything else is the engine's own."""

    def __init__(self, engine: CheckpointEngine, guard: SaveGuard) -> None:
        """Wrap an engine for one save."""
        self._engine = engine
        self._guard = guard

    def save(self, state_dict: object, path: str) -> None:
        """Write one file of this rank."""
        self._guard.attempt(lambda: self._engine.save(state_dict, path))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - DeepSpeed's signature
        """Make a folder."""
        self._guard.attempt(lambda: Path(path).mkdir(parents=True, exist_ok=exist_ok))

    def is_decoupled(self) -> bool:
        """Keep DeepSpeed from writing `latest` while others may still fill the disk: `guarded` does it in the end."""
        return True

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


@contextmanager
def guarded(engine: DeepSpeedEngine, guard: SaveGuard, folder: Path) -> Iterator[None]:
    """Let a DeepSpeed engine write its next checkpoint, in `folder`, under the guard."""
    whole = engine.checkpoint_engine
    engine.checkpoint_engine = GuardedEngine(whole, guard)
    # Rank 0 copies a script beside the shards while other ranks may be filling the disk.
    copy_script = engine._copy_recovery_script  # noqa: SLF001 - there is no public way to do without
    engine._copy_recovery_script = lambda folder: guard.attempt(lambda: copy_script(folder))  # noqa: SLF001
    try:
        yield
    finally:
        engine.checkpoint_engine = whole
        del engine._copy_recovery_script  # noqa: SLF001 - the class's own shows again
    if engine.global_rank == 0:
        guard.attempt(lambda: (folder / "latest").write_text(f"global_step{engine.global_steps}"))
