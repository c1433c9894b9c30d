"""What a local file or folder consists of, before it is sent: regular files and folders, nothing else."""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path

from remote.errors import TransferError
from templates.transfer.bundle import STAGE_PREFIX, part_name

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file to be sent.

    Attributes:
        path: Relative to the tree's root on the machine, with `/`.
        source: Where it is here.
        size_bytes: Its size when it was looked at.
        mode: 0o755 when its owner may execute it, else 0o644.
    """

    path: str
    source: Path
    size_bytes: int
    mode: int


@dataclass(frozen=True, slots=True)
class LocalTree:
    """Everything to be sent, and where on the machine it goes.

    Attributes:
        root: Absolute folder on the machine.
        stage: Folder on the machine for what is not complete, on the same filesystem.
        files: Sorted by path.
        empty_folders: Folders without anything in them.
    """

    root: str
    stage: str
    files: tuple[LocalFile, ...]
    empty_folders: tuple[str, ...]


def scan(source: Path, target: str) -> LocalTree:
    """Look at `source`: a file goes to the path `target`, a folder's content into the folder `target`.

    Raises:
        TransferError: Nothing is there, it cannot be read, or something in it is no regular file or folder.
    """
    if not posixpath.isabs(target):
        raise TransferError(f"the target on the machine is not an absolute path: {target!r}")
    target = posixpath.normpath(target)
    try:
        if source.is_dir():
            return _scan_folder(source, target)
        root, name = posixpath.split(target)
        file = _regular_file(name, source.resolve(strict=True))
    except OSError as error:
        raise TransferError(f"cannot read {error.filename or source}: {error.strerror}") from error
    return LocalTree(root, posixpath.join(root, f"{STAGE_PREFIX}-{part_name(name)}"), (file,), ())


def _scan_folder(source: Path, target: str) -> LocalTree:
    files: list[LocalFile] = []
    empty_folders: list[str] = []
    refused: list[str] = []
    for folder, names in _walk(source):
        relative = folder.relative_to(source)
        if not names and folder != source:
            empty_folders.append(relative.as_posix())
        for entry in names:
            path = (relative / entry.name).as_posix()
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                refused.append(path)
            elif entry.is_file():
                files.append(_regular_file(path, Path(entry.path)))
    if refused:
        raise _refusal(source, sorted(refused))
    files.sort(key=lambda file: file.path)
    return LocalTree(target, posixpath.join(target, STAGE_PREFIX), tuple(files), tuple(sorted(empty_folders)))


def _walk(source: Path) -> list[tuple[Path, list[os.DirEntry[str]]]]:
    found = []
    left = [source]
    while left:
        folder = left.pop()
        with os.scandir(folder) as entries:
            names = [entry for entry in entries if not entry.name.startswith(STAGE_PREFIX)]
        found.append((folder, names))
        left += [Path(entry.path) for entry in names if entry.is_dir(follow_symlinks=False)]
    return found


def _regular_file(path: str, source: Path) -> LocalFile:
    status = source.stat()
    if not stat.S_ISREG(status.st_mode):
        raise TransferError(f"neither a regular file nor a folder: {source}")
    return LocalFile(path, source, status.st_size, 0o755 if status.st_mode & stat.S_IXUSR else 0o644)


def _refusal(source: Path, refused: list[str]) -> TransferError:
    # A link may lead out of the folder or in a circle, so following it silently could send what nobody meant to send.
    shown = ", ".join(repr(path) for path in refused[:_SHOWN])
    more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    return TransferError(
        f"{source} holds symbolic links or special files, which are not sent: {shown}{more}",
        hint=f"send a copy in which links are files: `cp -RL {source} COPY`",
    )
