"""Rows that an earlier row makes superfluous: the very same texts, or alike.

The answer for a row depends on the earlier rows that stand, never on what becomes of those alike: so it does not matter
in which order, or by how many processes, it is found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from templates.curation.likeness import bands_for
from templates.curation.piecework import Pair
from templates.curation.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from templates.curation.assembly import Assembled
    from templates.curation.pool import Pool
    from templates.curation.rules import DuplicateCondition

# Keys in memory at once; with more rows the keys are gone through in several passes.
MOST_KEYS = 400_000
_DIGEST_BYTES = 16
_PAIRS_OF_TASK = 256


class Standing:
    """Which survivors of the row rules still stand, by their number over all pieces.

    Attributes:
        spool: Where they are.
        flags: 1 for each that stands, 0 for each that a duplicate rule dropped.
    """

    def __init__(self, assembled: Assembled, spool: Path) -> None:
        self._assembled = assembled
        self._ends = list(accumulate(assembled.survivors))
        self.spool = Spool(spool)
        self.flags = bytearray(b"\1") * (self._ends[-1] if self._ends else 0)

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """Yield each piece's number, and the numbers of its first survivor and of the first after it."""
        for number, count, end in zip(self._assembled.pieces, self._assembled.survivors, self._ends, strict=True):
            yield number, end - count, end

    def place(self, survivor: int) -> tuple[int, int]:
        """Give the number of a survivor's piece and its own in there."""
        index = bisect_right(self._ends, survivor)
        return self._assembled.pieces[index], survivor - self._ends[index] + self._assembled.survivors[index]

    def row(self, survivor: int) -> int:
        """Give a survivor's number in the input, from 1."""
        index = bisect_right(self._ends, survivor)
        piece, number = self.place(survivor)
        return self._assembled.first_rows[index] + self.spool.places(piece)[number] + 1

    def line(self, survivor: int) -> bytes:
        """Give a survivor's row."""
        return self.spool.line(*self.place(survivor))


def same(standing: Standing, rule: int) -> Iterator[tuple[int, int]]:
    """Yield each survivor whose digest an earlier one has, with the first that has it; in no order that matters."""
    passes = 1 + len(standing.flags) // MOST_KEYS
    for number in range(passes):
        first: dict[bytes, int] = {}
        for piece, begin, _ in standing.pieces():
            keys = standing.spool.keys(piece, rule)
            for offset in range(0, len(keys), _DIGEST_BYTES):
                survivor = begin + offset // _DIGEST_BYTES
                if not standing.flags[survivor] or (passes > 1 and keys[offset + 1] % passes != number):
                    continue
                original = first.setdefault(keys[offset : offset + _DIGEST_BYTES], survivor)
                if original != survivor:
                    yield survivor, original


def alike(standing: Standing, rule: int, condition: DuplicateCondition, pool: Pool) -> dict[int, int]:
    """Give each survivor that resembles an earlier one, with that one.

    Candidates are, in each band, each survivor with the first and with the last one before it that has its value.
    """
    assert condition.similarity is not None  # noqa: S101 - whoever calls this has looked
    bands, _ = bands_for(condition.similarity)
    found: dict[int, int] = {}
    for band in range(bands):
        fresh = (pair for pair in _meetings(standing, rule, band, bands) if pair[0] not in found)
        for (_, task), answers in pool.alike((rule, pairs) for pairs in _tasks(standing, fresh)):
            for pair, is_alike in zip(task, answers, strict=True):
                if is_alike:
                    found.setdefault(pair.later, pair.earlier)
    return found


def _tasks(standing: Standing, pairs: Iterator[tuple[int, int]]) -> Iterator[list[Pair]]:
    made = (Pair(later, earlier, standing.place(later), standing.place(earlier)) for later, earlier in pairs)
    while task := list(islice(made, _PAIRS_OF_TASK)):
        yield task


def _meetings(standing: Standing, rule: int, band: int, bands: int) -> Iterator[tuple[int, int]]:
    passes = 1 + len(standing.flags) // MOST_KEYS
    for number in range(passes):
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for piece, begin, _ in standing.pieces():
            values = array("Q")
            values.frombytes(standing.spool.keys(piece, rule))
            for survivor, value in enumerate(values[band::bands], start=begin):
                if not standing.flags[survivor] or value % passes != number:
                    continue
                earlier = first.setdefault(value, survivor)
                if earlier == survivor:
                    continue
                yield survivor, earlier
                if value in last:
                    yield survivor, last[value]
                last[value] = survivor
