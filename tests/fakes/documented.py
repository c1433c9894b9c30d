"""The commands that the documentation shows, in order: every line `$ …` of its blocks ```console."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\S*)(.*)$")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """One command on a page.

    Attributes:
        page: The page, from the project's folder.
        line: Its line there.
        words: The command, without comment and without what its output is piped into.
        title: The title of its block: where there is one, it says why a test does not run it. Empty otherwise.
    """

    page: str
    line: int
    words: tuple[str, ...]
    title: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {' '.join(self.words)}"


def shown() -> list[Shown]:
    """Every command of every page."""
    return [one for page in sorted((ROOT / "docs").rglob("*.md")) for one in _of_page(page)]


def _of_page(page: Path) -> Iterator[Shown]:
    language, title, is_open = "", "", False
    for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(text.strip())
        if fence:
            is_open = not is_open
            found = _TITLE.search(fence[2])
            language, title = (fence[1], found[1] if found else "") if is_open else ("", "")
        elif is_open and language == "console" and text.startswith("$ "):
            words = shlex.split(text[2:], comments=True)
            alone = words[: words.index("|")] if "|" in words else words
            yield Shown(page.relative_to(ROOT).as_posix(), number, tuple(alone), title)
