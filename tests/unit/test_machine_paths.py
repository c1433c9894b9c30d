from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.errors import TransferError
from remote.paths import check_manifest
from remote.text import printable
from remote.types import FileDigest

DIGEST = "0" * 64


def _digest(path: str, size: int = 1, sha256: str = DIGEST) -> FileDigest:
    return FileDigest(path, size, sha256)


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "..", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", "/", "a\0b",
        ".llamalift-part/x", "a/.llamalift-part-1/x",
    ],
)  # fmt: skip
def test_paths_that_lead_outside_are_refused(path: str) -> None:
    """No path of a hostile machine can reach anything but files below the target."""
    with pytest.raises(TransferError):
        check_manifest([_digest(path)])


@pytest.mark.parametrize("path", ["a", "a/b", "-rf", "a b\nc", "ä/ünï", "...", ".hidden", "~", "$(x)"])
def test_odd_but_honest_paths_are_accepted(path: str) -> None:
    """Odd names are names."""
    check_manifest([_digest(path)])


@pytest.mark.parametrize(
    "manifest",
    [
        [_digest("a"), _digest("a")],
        [_digest("a"), _digest("a/b")],
        [_digest("a", size=-1)],
        [_digest("a", sha256="0" * 63)],
        [_digest("a", sha256="Z" * 64)],
    ],
)
def test_contradicting_manifests_are_refused(manifest: list[FileDigest]) -> None:
    """A file twice, a file that is also a folder, an impossible size or digest: refused before a byte is asked for."""
    with pytest.raises(TransferError):
        check_manifest(manifest)


@given(st.text())
def test_shown_text_holds_no_terminal_escapes(text: str) -> None:
    """Whatever a machine says, what is shown has no control character but tab and newline."""
    shown = printable(text)
    assert not any((ord(letter) < 32 and letter not in "\t\n") or 0x7F <= ord(letter) < 0xA0 for letter in shown)


def test_escape_sequences_go_as_a_whole() -> None:
    """Colours, titles and links leave no rubbish behind."""
    said = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1bMup\rover"
    assert printable(said) == "red link upover"
