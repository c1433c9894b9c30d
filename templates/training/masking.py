"""Finds secrets in what a program prints, in the forms in which they usually leak, and puts stars in their place.

Beside the value itself: as JSON and Python write it, percent-encoded (addresses), in hex, and in Base64 at any offset
(`Authorization: Basic` has it behind a user's name). Whatever a program does beyond that to hide a value is not found.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STAR = b"*"
# Shorter ones would be found everywhere, and protect nothing.
LEAST_LETTERS = 6
# A part of an encoded value says little below that, and would be found by chance.
_LEAST_ENCODED = 8
# A key of several lines is printed line by line, with something before each.
_LEAST_LINE = 12
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


class Masker:
    """Puts as many stars in the place of each secret as it has bytes, so that offsets in a log stay what they are."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in forms_of(value)}
        # The longest first: of two that begin alike the whole one is meant.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms))) if forms else None
        self._longest = max(map(len, forms), default=0)

    def masked(self, data: bytes) -> bytes:
        """The same number of bytes, secrets starred."""
        if self._pattern is None:
            return data
        return self._pattern.sub(lambda found: STAR * len(found[0]), data)

    def text(self, text: str) -> str:
        """The same for text; where a secret has letters beyond ASCII, the stars are more than its letters."""
        if self._pattern is None:
            return text
        return self.masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def unfinished(self, data: bytes) -> int:
        """How many of the last bytes may be the beginning of a secret."""
        for length in range(min(self._longest - 1, len(data)), 0, -1):
            if any(form.startswith(data[-length:]) for form in self._forms):
                return length
        return 0


class MaskedStream:
    """The same for bytes that come in pieces, whose borders may be anywhere."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on: all but a last part that may be the beginning of a secret."""
        # What is starred already begins no secret.
        data = self._masker.masked(self._rest + data)
        keep = self._masker.unfinished(data)
        self._rest = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """The last part."""
        rest, self._rest = self._rest, b""
        return rest


def forms_of(value: str) -> Iterator[bytes]:
    """Every form in which a value is looked for."""
    lines = [line.strip() for line in value.splitlines()]
    for part in {value, value.strip(), *(line for line in lines if len(line) >= _LEAST_LINE)}:
        if len(part) >= LEAST_LETTERS:
            yield from _written(part)
            yield from _encoded(part.encode("utf-8", "surrogateescape"))


def _written(value: str) -> Iterator[bytes]:
    address = quote(value, safe="", errors="surrogateescape")
    for text in (
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        address,
        quote_plus(value, errors="surrogateescape"),
        _ESCAPE.sub(lambda found: found[0].lower(), address),
    ):
        yield text.encode("utf-8", "surrogateescape")


def _encoded(value: bytes) -> Iterator[bytes]:
    hexadecimal = value.hex()
    yield from (hexadecimal.encode(), hexadecimal.upper().encode())
    for offset in range(3):
        # Three bytes make four letters of six bits: only letters that hold nothing of the neighbours are certain.
        first = (offset * 8 + 5) // 6
        last = (offset + len(value)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            letters = encode(bytes(offset) + value)[first:last]
            if len(letters) >= _LEAST_ENCODED:
                yield letters
