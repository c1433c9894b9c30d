"""The copy of the training log on this computer; it remembers by its size where to go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from remote.agent import LogPiece


@dataclass(frozen=True, slots=True)
class LogCopy:
    """`file` holds the first `size` bytes of the machine's log."""

    file: Path

    @property
    def size(self) -> int:
        """Bytes held, and the offset of the next one."""
        return self.file.stat().st_size if self.file.exists() else 0

    def append(self, piece: LogPiece) -> None:
        """Write a piece where it belongs; pieces that another process wrote meanwhile are simply written again."""
        mode = "r+b" if self.file.exists() else "w+b"
        with self.file.open(mode) as stream:
            stream.seek(piece.start)
            stream.write(piece.data)
