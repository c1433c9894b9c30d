"""One file on its way: its bytes under another name, and which cells of them are on the disk already."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING

from templates.agent.atomic import fsync_folder

if TYPE_CHECKING:
    from pathlib import Path

CELL_BYTES = 8 << 20


class Staged:
    """The part of a file that is here, and what it is a part of.

    The record beside it has the version in its first line and the number of a cell in each further one, written after
    the cell is on the disk: so whatever it names is there, also after a loss of power.
    """

    def __init__(self, stage: Path, path: str, *, size: int, version: str) -> None:
        """Take up what is there of this very version; of another one nothing is kept."""
        name = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:32]
        self._part, self._record = stage / f"{name}.part", stage / f"{name}.cells"
        self._head = json.dumps({"path": path, "size": size, "version": version})
        self.size = size
        self.done = self._known()
        self.is_taken_up = bool(self.done)
        self._lock, self._file = threading.Lock(), -1

    @property
    def part(self) -> Path:
        """Where the bytes are until the file is whole; it is there when this returns."""
        self._opened()
        return self._part

    def missing(self) -> list[int]:
        """The cells that are not here. An empty file has none."""
        count = -(-self.size // CELL_BYTES)
        return [number for number in range(count) if number not in self.done]

    def span(self, cell: int) -> tuple[int, int]:
        """First byte of a cell and the first one after it."""
        return cell * CELL_BYTES, min(self.size, (cell + 1) * CELL_BYTES)

    def write(self, data: bytes, at: int) -> None:
        """Put bytes in their place."""
        view, file = memoryview(data), self._opened()
        while view:
            count = os.pwrite(file, view, at)
            view, at = view[count:], at + count

    def keep(self, cell: int) -> None:
        """A cell is whole: make it durable, then say so. A file of one cell is placed at once instead."""
        if self.size <= CELL_BYTES:
            return
        os.fsync(self._opened())
        with self._record.open("a", encoding="utf-8") as record:
            record.write(f"{cell}\n")

    def place(self, target: Path) -> None:
        """Give the file its name; on the disk when this returns."""
        os.fsync(self._opened())
        self.close()
        target.parent.mkdir(parents=True, exist_ok=True)
        self._part.replace(target)
        fsync_folder(target.parent)
        self._record.unlink(missing_ok=True)

    def discard(self) -> None:
        """Keep nothing."""
        self.close()
        self._part.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; what is there stays."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _opened(self) -> int:
        """The file, opened when it is needed: a source may have more of them than a process may open."""
        with self._lock:
            if self._file < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | (0 if self.done else os.O_TRUNC)
                self._file = os.open(self._part, flags, 0o644)
                if not self.done and self.size > CELL_BYTES:
                    self._record.write_text(self._head + "\n", encoding="utf-8")
            return self._file

    def _known(self) -> set[int]:
        try:
            # What stands after the last newline was being written when the power went.
            head, *rows = self._record.read_text(encoding="utf-8").split("\n")[:-1] or [""]
        except OSError:
            return set()
        if head != self._head or not self._part.is_file() or self._part.is_symlink():
            return set()
        cells = {int(row) for row in rows if row.isascii() and row.isdigit()}
        length = self._part.stat().st_size
        return {cell for cell in cells if cell * CELL_BYTES < self.size and self.span(cell)[1] <= length}
