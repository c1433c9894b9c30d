"""The rows that stand, as one file of JSON lines or one JSON list."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from templates.curation.tally import LENGTH_BINS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from templates.curation.duplicates import Standing


def write_rows(standing: Standing, target: Path) -> str:
    """Write all rows that stand, in the order of the input, and give the file's SHA-256 in hex.

    A `.json` file becomes a list with one row on each line; every other one, JSON lines.
    """
    as_list = target.suffix == ".json"
    digest = hashlib.sha256()
    with target.open("wb") as file:

        def put(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        before = b"[\n" if as_list else b""
        for rows in _kept(standing):
            if not rows:
                continue
            put(before)
            # Within a row there is no line's end.
            put(rows[:-1].replace(b"\n", b",\n") if as_list else rows)
            before = b",\n" if as_list else b""
        if as_list:
            put(b"[]\n" if before == b"[\n" else b"\n]\n")
    return digest.hexdigest()


def lengths_after(standing: Standing) -> list[int]:
    """Count the rows that stand by the length of their answers."""
    counts = [0] * LENGTH_BINS
    for piece, begin, end in standing.pieces():
        for length, flag in zip(standing.spool.bins(piece), standing.flags[begin:end], strict=True):
            counts[length] += flag
    return counts


def _kept(standing: Standing) -> Iterator[bytes]:
    for piece, begin, end in standing.pieces():
        rows, flags = standing.spool.rows(piece), standing.flags[begin:end]
        if all(flags):
            yield rows
            continue
        kept, offset = [], 0
        for size, flag in zip(standing.spool.sizes(piece), flags, strict=True):
            if flag:
                kept.append(rows[offset : offset + size])
            offset += size
        yield b"".join(kept)
