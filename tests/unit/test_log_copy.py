"""The copy of the log: several clients write it at the same time, and it never has a hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote.agent import LogPiece
from runs.log_copy import LogCopy

if TYPE_CHECKING:
    from pathlib import Path


def piece(start: int, data: bytes) -> LogPiece:
    """A piece of a longer log."""
    return LogPiece(start=start, end=start + len(data), size=100, data=data)


def test_a_piece_that_is_known_changes_nothing(tmp_path: Path) -> None:
    """A slower client's piece from the beginning does not cut off what a faster one has."""
    copy = LogCopy(tmp_path / "train.log")
    copy.append(piece(0, b"one two three"))
    copy.append(piece(0, b"one"))
    copy.append(piece(8, b"three four"))
    assert copy.file.read_bytes() == b"one two three four"
    assert copy.file.stat().st_mode & 0o077 == 0


def test_a_piece_beyond_the_end_is_left_out(tmp_path: Path) -> None:
    """The next look begins at the end of the copy and fetches it again."""
    copy = LogCopy(tmp_path / "train.log")
    copy.append(piece(4, b"late"))
    assert copy.size == 0


def test_of_another_file_nothing_of_the_old_one_stays(tmp_path: Path) -> None:
    """The machine has a shorter file than the copy: it began again, and so does the copy."""
    copy = LogCopy(tmp_path / "metrics.jsonl")
    copy.take(piece(0, b"one two three"), asked=0)
    copy.take(LogPiece(0, 3, 3, b"new"), asked=13)
    assert copy.file.read_bytes() == b"new"


def test_a_slower_clients_first_piece_is_not_another_file(tmp_path: Path) -> None:
    """It asked when there was no copy yet, and another client was faster."""
    copy = LogCopy(tmp_path / "metrics.jsonl")
    copy.take(piece(0, b"one two three"), asked=0)
    copy.take(LogPiece(0, 3, 3, b"one"), asked=0)
    assert copy.file.read_bytes() == b"one two three"
