"""The copy of a run's log for the page: its end, or the lines that have a word, safe to show."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOST_LINES = 400
_LONGEST_LINE = 2000
# A search reads this much from the end; older lines are in `llamalift logs`.
_SEARCHED_BYTES = 64 << 20
_END_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its text in parts of (text, whether it was searched for), and whether it tells of trouble."""

    parts: tuple[tuple[str, bool], ...]
    is_trouble: bool


@dataclass(frozen=True, slots=True)
class LogView:
    """What is shown.

    Attributes:
        lines: The newest ones, oldest first, at most `MOST_LINES`.
        found: How many lines have the word; all of them are counted. None where nothing is searched for.
        size_bytes: The log's.
        is_cut: There is more in front of it.
    """

    lines: tuple[Line, ...]
    found: int | None
    size_bytes: int
    is_cut: bool


def view_log(file: Path, word: str, mask: Callable[[bytes], bytes]) -> LogView:
    """The end of the log, or with `word` the newest lines that have it, in small letters or large."""
    if not file.exists():
        return LogView((), 0 if word else None, 0, is_cut=False)
    size = file.stat().st_size
    reach = _SEARCHED_BYTES if word else _END_BYTES
    lines: deque[str] = deque(maxlen=MOST_LINES)
    count, wanted = 0, word.casefold()
    for text in _lines(file, max(0, size - reach), mask):
        if wanted in text.casefold():
            lines.append(text)
            count += 1
    return LogView(
        tuple(_line(text, wanted) for text in lines), count if word else None, size,
        is_cut=size > reach or count > len(lines),
    )  # fmt: skip


def _lines(file: Path, begin: int, mask: Callable[[bytes], bytes]) -> Iterator[str]:
    with file.open("rb") as stream:
        stream.seek(begin)
        if begin:
            stream.readline()
        end = os.fstat(stream.fileno()).st_size
        while stream.tell() < end and (raw := stream.readline()):
            yield shown(mask(raw))


def shown(raw: bytes) -> str:
    """A line as a terminal would leave it: of a progress bar, what it said last."""
    drawn = [part for part in raw.rstrip(b"\r\n").split(b"\r") if part.strip()]
    return printable((drawn[-1] if drawn else b"").decode("utf-8", errors="replace"))[:_LONGEST_LINE]


def _line(text: str, wanted: str) -> Line:
    low = text.casefold()
    is_trouble = low.startswith(("problem:", "warning:", "traceback")) or "error" in low
    # Where small letters are more than large ones (`İ`), places in one text are none in the other.
    if not wanted or len(low) != len(text):
        return Line(((text, False),), is_trouble)
    parts, at = [], 0
    while (found := low.find(wanted, at)) >= 0:
        parts += [(text[at:found], False), (text[found : found + len(wanted)], True)]
        at = found + len(wanted)
    return Line(tuple(part for part in [*parts, (text[at:], False)] if part[0]), is_trouble)
