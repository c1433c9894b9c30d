"""Names that a server tells: believed only when none of them leads out of the folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from templates.training.pull.errors import PullError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STAGE = ".llamalift-pull"
_LONGEST_PART_BYTES = 255


def check_names(paths: Iterable[str]) -> None:
    """Refuse names that lead outside, are no names, are ours, or clash with each other.

    Raises:
        PullError: It names the first one.
    """
    seen: set[str] = set()
    for path in paths:
        if not _is_safe(path):
            raise PullError("hostile", f"the source names a file that leads outside or cannot be: {path!r}")
        if path in seen:
            raise PullError("hostile", f"the source names a file twice: {path!r}")
        seen.add(path)
    for path in seen:
        parts = path.split("/")
        if any("/".join(parts[:count]) in seen for count in range(1, len(parts))):
            raise PullError("hostile", f"the source has a file in something that is a file itself: {path!r}")


def refuse_links(target: Path, paths: Iterable[str]) -> None:
    """Refuse to write through a symbolic link below `target`, wherever it came from.

    Raises:
        PullError: There is one in the way.
    """
    for folder in {parent for path in paths for parent in (target / path).parents if target in parent.parents}:
        if folder.is_symlink():
            raise PullError("hostile", f"a symbolic link is in the way: {folder}")


def _is_safe(path: str) -> bool:
    try:
        parts = [os.fsencode(part) for part in path.split("/")]
    except UnicodeEncodeError:
        return False
    return (
        all(part not in {b"", b".", b".."} and b"\0" not in part and len(part) <= _LONGEST_PART_BYTES for part in parts)
        and parts[0] != STAGE.encode()
    )
