"""Removing and copying what a machine left on its disks."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
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


def copy_folder(source: Path, target: Path) -> None:
    """Make `target` hold what `source` holds, with links, times and permissions; whole, or not at all.

    Raises:
        OSError: There is no room, or something cannot be read.
        subprocess.CalledProcessError: The same.
    """
    partial = target.with_name(f"{target.name}.part")
    remove_folder(partial)
    # Pipes and read-only folders are a machine's daily bread, and too much for `shutil.copytree`.
    subprocess.run(["cp", "-a", str(source), str(partial)], check=True)
    remove_folder(target)
    partial.rename(target)
