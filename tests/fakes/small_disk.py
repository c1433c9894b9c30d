"""A real file system of a few megabytes, for tests of a full or failing disk."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount an ext4 image of that size; where the kernel gives no loop device, a tmpfs.

    Skips the test without the right to mount.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    image, point = folder / "disk.img", folder / "disk"
    point.mkdir()
    if not mount_image(_formatted(image, mebibytes), point):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(point)], check=True)
    try:
        yield point
    finally:
        unmount(point)


def mount_image(image: Path, point: Path) -> bool:
    """Mount an image; False where the kernel gives no loop device."""
    argv = ["mount", "-o", "loop", str(image), str(point)]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def unmount(point: Path) -> None:
    """Unmount, also while something still looks at it."""
    subprocess.run(["umount", "--lazy", str(point)], check=True)


def _formatted(image: Path, mebibytes: int) -> Path:
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    # No reserve for root: the tests run as root, and must meet the end of the disk as everybody does.
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-F", str(image)], check=True)
    return image
