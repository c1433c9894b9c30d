"""Text that a machine sent, made safe to show."""

from __future__ import annotations

import codecs
import re

# ESC sequences (ECMA-48): CSI (colours, cursor), OSC (titles, links; ended by BEL or ESC \), two-character ones.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# Colours and weights alone: no blinking, and nothing that hides text.
_COLOUR = re.compile(r"\x1b\[(?:[0-9]{1,3}(?:;[0-9]{1,3}){0,15})?m")
_PLAIN_SGR = frozenset({0, 1, 2, 3, 4, 7, 22, 23, 24, 27, *range(30, 38), 39, *range(40, 48), 49, *range(90, 108)})
_RESET = "\x1b[0m"
# What is left of control characters (C0 without tab and newline, DEL, C1) and the bidirectional overrides.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """`text` without terminal escapes and control characters; tabs and newlines stay."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def coloured(text: str) -> str:
    """`printable` text of one line that keeps its colours, and ends without any."""
    words, at = [], 0
    for found in _COLOUR.finditer(text):
        if _is_harmless(found[0]):
            words += [printable(text[at : found.start()]), found[0]]
            at = found.end()
    return "".join(words) + printable(text[at:]) + (_RESET if words else "")


def _is_harmless(sequence: str) -> bool:
    numbers = [int(number) for number in re.findall(r"\d+", sequence)]
    while numbers:
        number = numbers.pop(0)
        if number in {38, 48} and numbers[:1] in ([5], [2]):
            # A colour by its number, or by red, green and blue.
            numbers = numbers[2 if numbers[0] == 5 else 4 :]
        elif number not in _PLAIN_SGR:
            return False
    return True


# What tqdm draws, up to its percentage: bars that differ in nothing but how far they are.
_BAR = re.compile(r"(?P<what>[^%|]{0,200}?)\s*\d{1,3}%\|")
# A line without an end that is longer is shown in pieces.
_LONGEST_LINE = 1 << 20


class LogLines:
    """A log's bytes, which come in pieces, as lines that are safe to show; of a progress bar the newest state alone."""

    def __init__(self, *, colours: bool = False) -> None:
        """With `colours`, those stay; every other escape is taken out."""
        self._safe = coloured if colours else printable
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._bar = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now, without their ends."""
        *lines, rest = (self._rest + self._decoder.decode(data)).split("\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], ""
        self._rest = _newest_state(rest, is_whole=False)
        return [shown for line in lines for shown in self._whole(line)]

    def end(self) -> list[str]:
        """What was held back."""
        *lines, rest = (self._rest + self._decoder.decode(b"", final=True)).split("\n")
        self._rest = ""
        shown = [shown for line in (*lines, *([rest] if rest else [])) for shown in self._whole(line)]
        bar, self._bar = self._bar, ""
        return [*shown, *([bar] if bar else [])]

    @property
    def unfinished(self) -> str:
        """A progress bar that goes on, or a line whose end has not come; empty without one."""
        return self._safe(_newest_state(self._rest, is_whole=True)) or self._bar

    def _whole(self, line: str) -> list[str]:
        shown = self._safe(_newest_state(line, is_whole=True))
        before, self._bar = self._bar, ""
        found = _BAR.match(printable(shown))
        if found is None:
            return [before, shown] if before else [shown]
        # Several processes, or a bar that starts its own lines, draw the same bar again and again.
        self._bar = shown
        same = _BAR.match(printable(before))
        return [before] if before and (same is None or same["what"] != found["what"]) else []


def _newest_state(line: str, *, is_whole: bool) -> str:
    """What a line that returned to its beginning shows last. While it goes on, one state before it is kept, too."""
    states = [state for state in line.split("\r") if state]
    if is_whole or "\r" not in line:
        return states[-1] if states else ""
    return "\r".join(states[-2:]) + ("\r" if line.endswith("\r") else "")


def gibibytes(count: int) -> str:
    """A number of bytes for people, in GiB or MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
