"""Removing what a machine left on its disks."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, folders without write permission included.

    Raises:
        OSError: Something in it does not belong to us.
    """
    if not folder.exists():
        return
    for inside, names, _ in os.walk(folder):
        for name in names:
            path = Path(inside, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU)
    shutil.rmtree(folder)
