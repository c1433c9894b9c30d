"""The folder beside the output in which a curation works: one process at a time, gone when it ends well or badly.

A process that is killed leaves it, and the next one into the same file begins by emptying it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from templates.curation.errors import BusyError, CurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """Give an empty folder on the file system of `output`, removed at the end.

    Raises:
        BusyError: Another process works there.
        CurationError: It cannot be made.
    """
    folder = output.parent / f".{output.name}.curating"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CurationError(f"cannot write beside the output: {error}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"another process curates into the same file: {output}") from error
        for left in folder.iterdir():
            left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def publish(files: Mapping[Path, Path]) -> None:
    """Give finished files their names, the last one last; each is whole under its name or not there.

    Args:
        files: Where each file of the workplace belongs, in this order.
    """
    for written in files:
        descriptor = os.open(written, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for written, target in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        written.replace(target)
