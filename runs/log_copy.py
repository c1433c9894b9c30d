"""Copies of what grows on the machine (log, metrics); each remembers by its size where to go on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from remote.agent import LogPiece


def log_of(folder: Path, node: int = 0) -> LogCopy:
    """The copy of a machine's training log; each further machine's is a file of its own.

    Args:
        folder: The run's.
        node: Which machine, from 0.
    """
    return LogCopy(folder / (f"train-{node + 1}.log" if node else "train.log"))


@dataclass(frozen=True, slots=True)
class LogCopy:
    """`file` holds the first `size` bytes of the machine's."""

    file: Path

    @property
    def size(self) -> int:
        """Bytes held, and the offset of the next one."""
        return self.file.stat().st_size if self.file.exists() else 0

    def append(self, piece: LogPiece) -> None:
        """Write a piece where it belongs; pieces that another process wrote meanwhile are simply written again.

        A piece that begins beyond the end is left out: a hole would pass for log, and never be fetched.
        """
        if piece.start > self.size:
            return
        # Not truncated: `up`, `status` and `logs` of one run write here at the same time.
        with os.fdopen(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as stream:
            stream.seek(piece.start)
            stream.write(piece.data)

    def take(self, piece: LogPiece, *, asked: int) -> None:
        """The same for a file of which no old end may stay: where the machine has a shorter one, it is another one.

        Args:
            piece: What the machine sent.
            asked: From which byte on it was asked.
        """
        if piece.start == 0 and piece.size < asked:
            self.file.unlink(missing_ok=True)
        self.append(piece)
