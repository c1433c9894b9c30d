"""Text that a machine sent, made safe to show."""

from __future__ import annotations

import re

# ESC sequences (ECMA-48): CSI (colours, cursor), OSC (titles, links; ended by BEL or ESC \), two-character ones.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# What is left of control characters (C0 without tab and newline, DEL, C1) and the bidirectional overrides.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """`text` without terminal escapes and control characters; tabs and newlines stay."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def gibibytes(count: int) -> str:
    """A number of bytes for people, in GiB or MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
