"""Text that a machine sent, made safe to show."""

from __future__ import annotations

import codecs
import re

# ESC sequences (ECMA-48): CSI (colours, cursor), OSC (titles, links; ended by BEL or ESC \), two-character ones.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# A sequence, or a carriage return, whose end may come in the next piece; no terminal takes longer ones.
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|\][^\x07\x1b]{0,1024}\x1b?)?)\Z")
# What is left of control characters (C0 without tab and newline, DEL, C1) and the bidirectional overrides.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """`text` without terminal escapes and control characters; tabs and newlines stay."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


class LogText:
    """A log's bytes, which come in pieces, as text that is safe to show; progress bars become lines."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> str:
        """What can be shown: all but an escape sequence or a line's end that may go on in the next piece."""
        return self._shown(self._decoder.decode(data), final=False)

    def end(self) -> str:
        """What was held back."""
        return self._shown(self._decoder.decode(b"", final=True), final=True)

    def _shown(self, text: str, *, final: bool) -> str:
        text = self._rest + text
        held = None if final else _UNFINISHED.search(text)
        self._rest = text[held.start() :] if held else ""
        text = text[: held.start()] if held else text
        return printable(text.replace("\r\n", "\n").replace("\r", "\n"))


def gibibytes(count: int) -> str:
    """A number of bytes for people, in GiB or MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
