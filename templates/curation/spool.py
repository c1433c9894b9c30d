"""What the pieces leave on the disk between the passes: their surviving rows, and columns of numbers about them.

Everything in it is beside the output, so that memory does not grow with the data, and goes with it.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_KNOWN_OFFSETS = 64


@dataclass(slots=True)
class Survivors:
    """The rows of a piece that no row rule drops, column by column.

    Attributes:
        lines: Each row as a line, without its end.
        places: Number of each in its piece, from 0.
        bins: Bin of the length of its answers.
        keys: For each duplicate rule, what it compares: a digest of 16 bytes, or a value of 8 for each band.
    """

    lines: list[bytes] = field(default_factory=list)
    places: array[int] = field(default_factory=lambda: array("I"))
    bins: bytearray = field(default_factory=bytearray)
    keys: list[bytearray] = field(default_factory=list)


class Spool:
    """The folder of all pieces."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Of the pieces that rows were taken from last: comparing rows takes many from each.
        self._offsets = lru_cache(_KNOWN_OFFSETS)(self._read_offsets)

    def write(self, piece: int, survivors: Survivors) -> None:
        """Write all columns of a piece."""
        self._path(piece, "rows").write_bytes(b"".join(line + b"\n" for line in survivors.lines))
        sizes = array("I", (len(line) + 1 for line in survivors.lines))
        for name, data in (("sizes", sizes), ("places", survivors.places), ("bins", survivors.bins)):
            self._path(piece, name).write_bytes(bytes(data))
        for number, keys in enumerate(survivors.keys):
            self._path(piece, f"keys{number}").write_bytes(keys)

    def rows(self, piece: int) -> bytes:
        """Give the rows of a piece, one on each line."""
        return self._path(piece, "rows").read_bytes()

    def sizes(self, piece: int) -> Sequence[int]:
        """Give the bytes of each row, its line's end included."""
        return self._numbers(piece, "sizes")

    def places(self, piece: int) -> Sequence[int]:
        """Give the number of each row in its piece, from 0."""
        return self._numbers(piece, "places")

    def bins(self, piece: int) -> bytes:
        """Give the bin of the length of each row's answers."""
        return self._path(piece, "bins").read_bytes()

    def keys(self, piece: int, rule: int) -> bytes:
        """Give what the duplicate rule `rule` compares."""
        return self._path(piece, f"keys{rule}").read_bytes()

    def line(self, piece: int, number: int) -> bytes:
        """Give one row."""
        offsets = self._offsets(piece)
        with self._path(piece, "rows").open("rb") as file:
            file.seek(offsets[number])
            return file.read(offsets[number + 1] - offsets[number] - 1)

    def _read_offsets(self, piece: int) -> Sequence[int]:
        return [0, *accumulate(self.sizes(piece))]

    def _numbers(self, piece: int, name: str) -> array[int]:
        numbers = array("I")
        numbers.frombytes(self._path(piece, name).read_bytes())
        return numbers

    def _path(self, piece: int, name: str) -> Path:
        return self._folder / f"{piece:06}.{name}"
