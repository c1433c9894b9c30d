"""The log on the page: its end, its lines with a word, and nothing that acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.dashboard.log_view import MOST_LINES, LogView, shown, view_log
from templates.training.masking import Masker

if TYPE_CHECKING:
    from pathlib import Path


def view(folder: Path, data: bytes, word: str = "", secret: str = "") -> LogView:
    """A log of `data`, looked at."""
    file = folder / "train.log"
    file.write_bytes(data)
    return view_log(file, word, Masker([secret] if secret else []).masked)


def texts(seen: LogView) -> list[str]:
    """Its lines as they are read."""
    return ["".join(text for text, _ in line.parts) for line in seen.lines]


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    """Before training there is no log; a search finds nothing in it."""
    assert view_log(tmp_path / "train.log", "", bytes) == LogView((), None, 0, is_cut=False)
    assert view_log(tmp_path / "train.log", "loss", bytes).found == 0


def test_the_newest_lines_are_shown(tmp_path: Path) -> None:
    """As many as are readable, the newest last, and it is said that there are more."""
    seen = view(tmp_path, b"".join(b"line %d\n" % n for n in range(1000)))
    assert len(seen.lines) == MOST_LINES
    assert texts(seen)[-1] == "line 999"
    assert seen.is_cut


def test_a_search_counts_and_marks(tmp_path: Path) -> None:
    """Large or small letters; every place in a line is marked."""
    seen = view(tmp_path, b"Loss and loss\nother\nLOSS\n", "loss")
    assert seen.found == 2
    assert seen.lines[0].parts == (("Loss", True), (" and ", False), ("loss", True))


@pytest.mark.parametrize("word", ["i̇", "İ", "ß", "ẞ", "ﬁ"])
def test_letters_that_change_length_break_nothing(tmp_path: Path, word: str) -> None:
    """Where small letters are more than large ones, the line is shown whole."""
    assert texts(view(tmp_path, "İstanbul Straße ﬁne".encode(), word)) in ([], ["İstanbul Straße ﬁne"])


def test_a_progress_bar_is_its_last_state() -> None:
    """What a terminal would have drawn over is not shown."""
    assert shown(b" 1%|\r 50%|##\r100%|####|\r\n") == "100%|####|"


def test_escapes_and_secrets_are_taken_out(tmp_path: Path) -> None:
    """Neither colours nor titles nor bidirectional overrides, nor what this computer knows as a secret."""
    data = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eevil hf_secretvalue\n".encode()
    assert texts(view(tmp_path, data, secret="hf_secretvalue")) == [f"red  evil {'*' * 14}"]


def test_trouble_is_told_apart(tmp_path: Path) -> None:
    """A problem is seen among thousands of lines."""
    seen = view(tmp_path, b"{'loss': 1}\nproblem: out of memory\nRuntimeError: x\n")
    assert [line.is_trouble for line in seen.lines] == [False, True, True]
