"""A log on a terminal: readable, and unable to act on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.text import LogText

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


def shown(pieces: list[bytes]) -> str:
    """What a reader of the log sees."""
    text = LogText()
    return "".join([*map(text.feed, pieces), text.end()])


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_control_reaches_the_terminal(hostile: str) -> None:
    """Neither whole nor cut into single bytes; what is meant to be read stays."""
    data = f"step 1 {hostile} step 2\n".encode()
    for pieces in ([data], [bytes([byte]) for byte in data]):
        text = shown(pieces)
        assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in text)
        assert not any(0x7F <= ord(letter) <= 0x9F or 0x202A <= ord(letter) <= 0x202E for letter in text)
        assert text.startswith("step 1 ")
        assert text.endswith(" step 2\n")
        assert "[31m" not in text


def test_progress_bars_become_lines() -> None:
    """Each state of a bar that redraws itself is a line; Windows' line ends are one."""
    assert shown([b"1 %\r", b"2 %\r\n", b"3 %\r", b"\nend"]) == "1 %\n2 %\n3 %\nend"


@given(st.lists(st.binary(max_size=8)))
def test_any_bytes_are_text(pieces: list[bytes]) -> None:
    """However they are cut, the same text, and none of it a control."""
    assert shown(pieces) == shown([b"".join(pieces)])
