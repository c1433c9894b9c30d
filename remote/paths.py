"""Paths and digests that a machine sent: believed only after this."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from remote.errors import TransferError
from templates.transfer.bundle import STAGE_PREFIX, with_parents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from remote.types import FileDigest

_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_manifest(manifest: Sequence[FileDigest]) -> None:
    """Refuse a list of files that could write outside its folder, or twice to one place.

    Raises:
        TransferError: It names the first path that is not to be trusted.
    """
    seen: set[str] = set()
    for file in manifest:
        _check_path(file.path)
        if file.size_bytes < 0 or not _SHA256.fullmatch(file.sha256):
            raise TransferError(f"the machine's manifest has no valid size and SHA-256 for: {file.path!r}")
        if file.path in seen:
            raise TransferError(f"the machine's manifest names a file twice: {file.path!r}")
        seen.add(file.path)
    if both := seen & folders_of(seen):
        raise TransferError(f"the machine's manifest has a file that is also a folder: {min(both)!r}")


def folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder, at any depth, that files with these relative paths lie in; the outermost is not named."""
    return with_parents(path.rpartition("/")[0] for path in paths) - {""}


def _check_path(path: str) -> None:
    parts = path.split("/")
    is_odd = any(part in {"", ".", ".."} or part.startswith(STAGE_PREFIX) for part in parts)
    if is_odd or "\0" in path or not _is_a_name(path):
        raise TransferError(f"the machine's manifest names a path outside its folder or not its own: {path!r}")


def _is_a_name(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True
