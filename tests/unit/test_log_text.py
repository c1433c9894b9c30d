"""A log on a terminal: readable, and unable to act on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.text import LogLines

HOSTILE = {
    "a title": "\x1b]0;owned\x07",
    "a link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "cursor and screen": "\x1b[2J\x1b[H\x1b[31mred\x1b[0m",
    "answer back": "\x1b[c\x1b[6n\x05",
    "C1 controls": "\x9b31m\x9d0;t\x9c",
    "another direction": "\u202egnp.exe",
    "a bell and backspaces": "yes\x08\x08\x08no\x07",
}


def shown(pieces: list[bytes], *, colours: bool = False) -> str:
    """What a reader of the log sees."""
    lines = LogLines(colours=colours)
    return "\n".join([*(line for piece in pieces for line in lines.feed(piece)), *lines.end()])


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_control_reaches_the_terminal(hostile: str) -> None:
    """Neither whole nor cut into single bytes; what is meant to be read stays."""
    data = f"step 1 {hostile} step 2\n".encode()
    for pieces in ([data], [bytes([byte]) for byte in data]):
        text = shown(pieces)
        assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in text)
        assert not any(0x7F <= ord(letter) <= 0x9F or 0x202A <= ord(letter) <= 0x202E for letter in text)
        assert text.startswith("step 1 ")
        assert text.endswith(" step 2")
        assert "[31m" not in text


def test_of_a_progress_bar_the_newest_state_is_shown() -> None:
    """Whether it returns to the beginning of its line or begins new ones; Windows' line ends are one."""
    assert shown([b"1 %\r", b"2 %\r", b"3 %\r", b"\nend"]) == "3 %\nend"
    bars = b"".join(b"Loading: %3d%%|##  | %d/4\n" % (part * 25, part) for part in range(5))
    assert shown([b"first\r\n", bars, b"then\n"]) == "first\nLoading: 100%|##  | 4/4\nthen"
    assert shown([b"A:  50%|# |\n", b"B:  10%|# |\n", b"B: 100%|##|\n"]) == "A:  50%|# |\nB: 100%|##|"


def test_a_bar_that_goes_on_can_be_seen() -> None:
    """Without being a line yet; a log that ends in one shows it."""
    lines = LogLines()
    assert lines.feed(b"step\n 10%|#  |\r 20%|## |") == ["step"]
    assert lines.unfinished == " 20%|## |"
    assert lines.feed(b"\r") == []
    assert lines.unfinished == " 20%|## |"
    assert lines.end() == [" 20%|## |"]


def test_a_line_without_an_end_is_shown_in_pieces() -> None:
    """Nothing grows without bound."""
    assert len(LogLines().feed(b"x" * (2 << 20))[0]) == 2 << 20


def test_colours_stay_where_they_are_wanted() -> None:
    """By name, number and in RGB; the line ends without any."""
    text = "\x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[39m \x1b[48;2;1;2;3mb"
    assert shown([text.encode()], colours=True) == f"{text}\x1b[0m"
    assert shown([text.encode()]) == "red orange b"


@pytest.mark.parametrize(
    "hostile",
    [*HOSTILE.values(), "\x1b[8mhidden", "\x1b[5mblink", "\x1b[38;8;1m", "\x1b[999m", "\x1b]0;\x1b[31mx\x07"],
)
def test_with_colours_nothing_else_gets_through(hostile: str) -> None:
    """No cursor, no title, no link, nothing hidden: what is left of escapes is colour alone."""
    text = shown([f"a {hostile} b\n".encode()], colours=True)
    for colour in ("\x1b[31m", "\x1b[0m"):
        text = text.replace(colour, "")
    assert "\x1b" not in text
    assert not any(
        ord(letter) < 32 or 0x7F <= ord(letter) <= 0x9F or 0x202A <= ord(letter) <= 0x202E for letter in text
    )


@given(st.lists(st.binary(max_size=8)), st.booleans())
def test_any_bytes_are_text(pieces: list[bytes], colours: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """However they are cut, the same text."""
    assert shown(pieces, colours=colours) == shown([b"".join(pieces)], colours=colours)
