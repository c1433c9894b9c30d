"""What a source says of its files' content, and whether a file is that."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
GIT = "git"
"""The SHA-1 that git gives a blob: over its length and its content."""


def digests_of(path: Path, kinds: set[str]) -> dict[str, str]:
    """The digests of a file in hex, each kind (`sha256`, `md5`, `git`) in one reading."""
    sums = {kind: _begun(kind, path.stat().st_size) for kind in kinds}
    with path.open("rb") as source:
        while data := source.read(_CHUNK_BYTES):
            for digest in sums.values():
                digest.update(data)
    return {kind: digest.hexdigest() for kind, digest in sums.items()}


def is_same(path: Path, size: int, expected: Mapping[str, str]) -> bool:
    """Whether a file has this size and every one of these digests."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size != size:
        return False
    return digests_of(path, set(expected)) == dict(expected)


def _begun(kind: str, size: int) -> hashlib._Hash:
    if kind == GIT:
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(kind, usedforsecurity=kind == "sha256")
