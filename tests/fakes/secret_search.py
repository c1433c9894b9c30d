"""Looks for planted secrets in everything that was written: files and what is packed in them, outputs, process lists.

The forms are worked out here once more, apart from the product's own masking, so that what one forgets the other finds.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import threading
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAMPLE_SECONDS = 0.25
# Text in Base64, also as YAML folds it over lines; shorter ones hold no file.
_PACKED = re.compile(rb"(?:[A-Za-z0-9+/_-]{16,}[\s\\n]*){3,}={0,2}")
_DEPTH = 3
_NO_LETTERS = re.compile(rb"[^A-Za-z0-9+/_-]")


@dataclass(frozen=True, slots=True)
class Find:
    """A secret that is where it must not be: its name, the form, the place."""

    name: str
    form: str
    place: str


@dataclass(slots=True)
class Search:
    """A search for `secrets` (name to value).

    Attributes:
        secrets: What is looked for.
        places: How many files, outputs and command lines were looked at; what is packed in a file is no place more.
        found: Where one was.
    """

    secrets: Mapping[str, str]
    places: int = 0
    found: list[Find] = field(default_factory=list)

    def look_at(self, place: str, data: bytes) -> None:
        """Look at one place and whatever is packed in it."""
        self.places += 1
        for what, content in _unpacked(data, _DEPTH):
            for name, value in self.secrets.items():
                self.found += [
                    Find(name, form, f"{place}{what}") for form, looks in forms(value).items() if looks in content
                ]

    def look_below(self, folder: Path, *, except_for: frozenset[str] = frozenset()) -> None:
        """Look at every file below `folder`, its name included; links are not followed, some names left out."""
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or path.name in except_for:
                continue
            try:
                data = path.read_bytes()
            except OSError:  # gone meanwhile
                continue
            self.look_at(str(path), str(path).encode() + b"\n" + data)


def forms(value: str) -> dict[str, bytes]:
    """Every form in which a value could have been written."""
    plain = value.encode()
    found = {
        "plain": plain,
        "JSON": json.dumps(value)[1:-1].encode(),
        "repr": repr(value)[1:-1].encode(),
        "percent": quote(value, safe="").encode(),
        "form": quote_plus(value).encode(),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "UTF-16 LE": value.encode("utf-16-le"),
        "UTF-16 BE": value.encode("utf-16-be"),
        "reversed": plain[::-1],
    }
    for kind, data in (("", plain), (" of UTF-16", value.encode("utf-16-le"))):
        for offset in range(3):
            padded = b"\0" * offset + data
            whole = len(padded) // 3 * 3
            for name, encode in (("Base64", base64.b64encode), ("Base64 URL", base64.urlsafe_b64encode)):
                # The first letters hold bits of what goes before; the rest of the last group would hold what follows.
                found[f"{name}{kind} at {offset}"] = encode(padded[:whole])[(0, 2, 3)[offset] :]
    return found


def _unpacked(data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """The data, and everything that is packed in it."""
    yield "", data
    if depth == 0:
        return
    if data[:2] == b"PK" or b"PK\x03\x04" in data[:4096]:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield from ((f"!{name}{what}", part) for what, part in _unpacked(archive.read(name), depth - 1))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
            pass
    if data[:2] == b"\x1f\x8b":
        try:
            opened = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            opened = b""
        yield from ((f"!gzip{what}", part) for what, part in _unpacked(opened, depth - 1))
    for packed in _PACKED.finditer(data):
        letters = _NO_LETTERS.sub(b"", packed[0].replace(b"\\n", b"")).translate(bytes.maketrans(b"-_", b"+/"))
        opened = base64.b64decode(letters[: len(letters) // 4 * 4])
        yield from ((f"!base64{what}", part) for what, part in _unpacked(opened, depth - 1))


class ProcessList:
    """Every command line that any process of this computer had while the block lasted (Linux only; else none)."""

    def __init__(self) -> None:
        self.lines: set[bytes] = set()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._keep_looking, daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _keep_looking(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    self.lines.add((folder / "cmdline").read_bytes().replace(b"\0", b" "))
                except OSError:
                    continue
