"""The pieces of an input, done side by side and put together in order; guesses at where rows begin are checked here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from templates.curation.errors import InputError
from templates.curation.inputs import InputFile, pieces_of
from templates.curation.piecework import Task
from templates.curation.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from templates.curation.piecework import Done
    from templates.curation.pool import Pool


@dataclass(slots=True)
class Assembled:
    """All pieces, done.

    Attributes:
        tally: What became of all rows.
        pieces: Numbers of the pieces that hold rows, in order.
        first_rows: Number of each piece's first row in the input, from 0.
        survivors: How many rows each left in the spool.
    """

    tally: Tally = field(default_factory=Tally)
    pieces: list[int] = field(default_factory=list)
    first_rows: list[int] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)

    def take(self, number: int, done: Done) -> None:
        """Take in a piece."""
        self.pieces.append(number)
        self.first_rows.append(self.tally.rows)
        self.survivors.append(done.survivors)
        self.tally.add(done.tally)


def assemble(
    files: Sequence[InputFile], pool: Pool, progress: Callable[[int, int], None], piece_bytes: int
) -> Assembled:
    """Do every piece of every file.

    Args:
        files: The input.
        pool: Who does them.
        progress: Told the bytes done and all bytes.
        piece_bytes: Size of a piece.

    Raises:
        InputError: A file is not what it should be; the message names file and row.
    """
    assembled = Assembled()
    total = sum(file.size_bytes for file in files)
    finished = 0
    chain = _Chain(pool)
    for task, done in pool.pieces(_tasks(files, piece_bytes)):
        for number, right in chain.checked(task, done):
            before = assembled.tally.rows
            assembled.take(number, right)
            if right.error:
                row = assembled.tally.rows - before + 1
                raise InputError(_place(task.piece.file, right, before + row))
        piece = task.piece
        finished += piece.file.size_bytes if piece.file.kind == "parquet" else piece.end - piece.begin
        progress(min(finished, total), total)
    chain.close()
    return assembled


def _tasks(files: Sequence[InputFile], piece_bytes: int) -> Iterator[Task]:
    number = 0
    for file in files:
        for piece in pieces_of(file, piece_bytes):
            yield Task(number, piece)
            number += 1


def _place(file: InputFile, done: Done, row: int) -> str:
    return f"{done.error}; in row {row:,} of {file.path}" if done.error else ""


class _Chain:
    """Each piece of a list must begin where the one before has stopped."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._file: InputFile | None = None
        self._next = 0

    def checked(self, task: Task, done: Done) -> Iterator[tuple[int, Done]]:
        """Yield the piece as it should be: as it is, done again, or not at all when a long row reaches beyond it."""
        piece = task.piece
        if piece.file.kind != "list":
            yield task.number, done
            return
        if piece.file is not self._file:
            self.close()
            self._file, self._next = piece.file, piece.file.begin
        if self._next >= piece.end:
            return
        if done.begin != self._next:
            ((_, done),) = self._pool.pieces([replace(task, begin=self._next)])
        self._next = done.end
        yield task.number, done

    def close(self) -> None:
        """Check that the list had an end.

        Raises:
            InputError: It has none.
        """
        if self._file is not None and self._next < self._file.size_bytes:
            raise InputError(f"not JSON: the list is cut off: {self._file.path}")
