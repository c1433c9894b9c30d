"""What a process does with a piece: read it, judge its rows, and leave the survivors in the spool."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from templates.curation.errors import CurationError
from templates.curation.json_rows import JsonRows, read_lines, read_list
from templates.curation.judge import Judge
from templates.curation.likeness import band_values, bands_for, similarity, triples
from templates.curation.parquet import read_row_group
from templates.curation.rows import Texts, texts_of
from templates.curation.rules import DuplicateCondition, Rule, RuleSet
from templates.curation.spool import Spool, Survivors
from templates.curation.tally import Tally, length_bin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from templates.curation.inputs import Piece


@dataclass(frozen=True, slots=True)
class Task:
    """A piece to be done.

    Attributes:
        number: Its number, in the order of the input.
        piece: Where it is.
        begin: Offset of its first row where that is known.
    """

    number: int
    piece: Piece
    begin: int | None = None


@dataclass(slots=True)
class Done:
    """A piece that was done.

    Attributes:
        begin: Offset of its first row; None when none was found.
        end: Offset of the first row after it.
        tally: What became of its rows.
        survivors: How many it left in the spool.
        error: Why reading stopped; empty when it did not.
    """

    begin: int | None
    end: int
    tally: Tally = field(default_factory=Tally)
    survivors: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows that may be alike.

    Attributes:
        later: Number of the later one among all survivors.
        earlier: Number of the earlier one.
        later_place: Number of its piece, and its own in there.
        earlier_place: The same of the earlier one.
    """

    later: int
    earlier: int
    later_place: tuple[int, int]
    earlier_place: tuple[int, int]


class Worker:
    """Does pieces and compares rows; one in each process."""

    def __init__(self, rules: RuleSet, spool: Path) -> None:
        """Compile the rules.

        Raises:
            PatternError: RE2 does not take a regular expression.
        """
        self._judge = Judge(rules)
        self._duplicates = rules.duplicate_rules
        self._spool = Spool(spool)

    def do(self, task: Task) -> Done:
        """Do a piece."""
        done = Done(task.begin, task.piece.end)
        survivors = Survivors(keys=[bytearray() for _ in self._duplicates])
        try:
            for rows in _read(task):
                self._take(rows, done, survivors)
        except CurationError as error:
            done.error = str(error)
        self._spool.write(task.number, survivors)
        done.survivors = len(survivors.lines)
        return done

    def _take(self, rows: JsonRows, done: Done, survivors: Survivors) -> None:
        done.begin, done.end, done.error = rows.begin, rows.end, rows.error
        for line, verdict in zip(rows.lines, self._judge.verdicts(rows.values), strict=True):
            done.tally.rows += 1
            texts = verdict.texts
            if texts is not None:
                done.tally.lengths_before[length_bin(texts)] += 1
            if texts is None or verdict.rule:
                done.tally.drop(verdict.rule, verdict.why, done.tally.rows, texts)
                continue
            survivors.lines.append(line.encode())
            survivors.places.append(done.tally.rows - 1)
            survivors.bins.append(length_bin(texts))
            for keys, rule in zip(survivors.keys, self._duplicates, strict=True):
                keys.extend(key_of(rule, texts))

    def alike(self, task: tuple[int, Sequence[Pair]]) -> list[bool]:
        """Tell of pairs of rows whether they are as alike as the duplicate rule of this number says."""
        number, pairs = task
        rule = self._duplicates[number]
        assert isinstance(rule.condition, DuplicateCondition)  # noqa: S101 - duplicate_rules has no others
        least = rule.condition.similarity or 1.0
        return [
            similarity(self._triples(rule, pair.later_place), self._triples(rule, pair.earlier_place)) >= least
            for pair in pairs
        ]

    def _triples(self, rule: Rule, place: tuple[int, int]) -> frozenset[int]:
        return triples(texts_in(self._spool.line(*place)).at(rule.where))


def key_of(rule: Rule, texts: Texts) -> bytes:
    """What a duplicate rule compares of a row."""
    assert isinstance(rule.condition, DuplicateCondition)  # noqa: S101 - duplicate_rules has no others
    if rule.condition.similarity is not None:
        return band_values(triples(texts.at(rule.where)), *bands_for(rule.condition.similarity)).tobytes()
    digest = blake2b(b"%d " % (len(texts.prompts) if rule.where == "all" else 0), digest_size=16)
    for text in texts.at(rule.where):
        data = text.strip().encode()
        # With its length: two texts must not look like one.
        digest.update(b"%d " % len(data))
        digest.update(data)
    return digest.digest()


def texts_in(line: bytes) -> Texts:
    """The texts of a row in the spool, which has been found usable before."""
    return texts_of(json.loads(line))


def _read(task: Task) -> Iterator[JsonRows]:
    piece = task.piece
    match piece.file.kind:
        case "lines":
            yield read_lines(piece)
        case "list":
            yield read_list(piece, task.begin)
        case _:
            for lines, values in read_row_group(piece.file.path, piece.begin):
                yield JsonRows(piece.begin, piece.end, lines, values)
