"""What a local file or folder consists of, before it is sent: regular files, folders and, where wanted, links."""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from remote.errors import TransferError
from remote.ignore import rules_for
from templates.transfer.bundle import STAGE_PREFIX, part_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remote.ignore import Rules

Links = Literal["refuse", "keep"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file to be sent.

    Attributes:
        path: Relative to the tree's root on the machine, with `/`.
        source: Its path here, as text: there may be very many.
        size_bytes: Its size when it was looked at.
        mode: 0o755 when its owner may execute it, else 0o644.
        changed_ns: When its content was last changed, in nanoseconds: what is read later must be the same file.
    """

    path: str
    source: str
    size_bytes: int
    mode: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class LocalTree:
    """Everything to be sent, and where on the machine it goes.

    Attributes:
        root: Absolute folder on the machine.
        stage: Folder on the machine for what is not complete, on the same filesystem.
        files: Sorted by path.
        empty_folders: Folders without anything in them that is sent.
        links: Path of each symbolic link, and what it leads to.
    """

    root: str
    stage: str
    files: tuple[LocalFile, ...]
    empty_folders: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


def scan(source: Path, target: str, *, ignore: Iterable[str] = (), links: Links = "refuse") -> LocalTree:
    """Look at `source`: a file goes to the path `target`, a folder's content into the folder `target`.

    Args:
        source: A file or a folder; a link to one is followed.
        target: An absolute path on the machine.
        ignore: Patterns as in a `.gitignore`; the folder's own rules and git's folder are added (`remote.ignore`).
        links: Whether symbolic links in the folder are refused, or kept where they lead to something inside it.

    Raises:
        TransferError: Nothing is there, it cannot be read, or something in it cannot be sent.
    """
    if not posixpath.isabs(target):
        raise TransferError(f"the target on the machine is not an absolute path: {target!r}")
    target = posixpath.normpath(target)
    try:
        if source.is_dir():
            return _scan_folder(source, target, rules_for(source, ignore), links)
        root, name = posixpath.split(target)
        resolved = source.resolve(strict=True)
        file = _regular_file(name, str(resolved), resolved.stat())
    except OSError as error:
        raise TransferError(f"cannot read {error.filename or source}: {error.strerror}") from error
    return LocalTree(root, posixpath.join(root, f"{STAGE_PREFIX}-{part_name(name)}"), (file,), ())


def _scan_folder(source: Path, target: str, rules: Rules, links: Links) -> LocalTree:
    files: list[LocalFile] = []
    kept: list[tuple[str, str]] = []
    empty_folders: list[str] = []
    refused: list[str] = []
    for relative, entries in _walk(source, rules):
        if not entries and relative:
            empty_folders.append(relative.rstrip("/"))
        for entry in entries:
            path = relative + entry.name
            if entry.is_symlink():
                leads_to = str(Path(entry.path).readlink())
                if links == "keep" and _stays_inside(path, leads_to):
                    kept.append((path, leads_to))
                else:
                    refused.append(path)
            elif entry.is_file():
                files.append(_regular_file(path, entry.path, entry.stat()))
            elif not entry.is_dir():
                refused.append(path)
    if refused:
        raise _refusal(source, sorted(refused), links)
    files.sort(key=lambda file: file.path)
    return LocalTree(
        target, posixpath.join(target, STAGE_PREFIX), tuple(files), tuple(sorted(empty_folders)), tuple(sorted(kept))
    )


def _walk(source: Path, rules: Rules) -> list[tuple[str, list[os.DirEntry[str]]]]:
    """Each folder as a prefix of paths (`""`, `a/`, `a/b/`) and what in it is to be sent."""
    found = []
    left = [""]
    while left:
        relative = left.pop()
        with os.scandir(source / relative) as entries:
            names = [
                entry
                for entry in entries
                if not entry.name.startswith(STAGE_PREFIX)
                and not rules.ignores(relative + entry.name, is_folder=entry.is_dir(follow_symlinks=False))
            ]
        found.append((relative, names))
        left += [f"{relative}{entry.name}/" for entry in names if entry.is_dir(follow_symlinks=False)]
    return found


def _stays_inside(path: str, leads_to: str) -> bool:
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), leads_to))
    return not posixpath.isabs(leads_to) and joined != ".." and not joined.startswith("../")


def _regular_file(path: str, source: str, status: os.stat_result) -> LocalFile:
    if not stat.S_ISREG(status.st_mode):
        raise TransferError(f"neither a regular file nor a folder: {source}")
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return LocalFile(path, source, status.st_size, mode, status.st_mtime_ns)


def _refusal(source: Path, refused: list[str], links: Links) -> TransferError:
    # A link may lead out of the folder or in a circle, so following it silently could send what nobody meant to send.
    shown = ", ".join(repr(path) for path in refused[:_SHOWN])
    more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    what = "symbolic links" if links == "refuse" else "symbolic links that lead out of it"
    return TransferError(
        f"{source} holds {what} or special files, which are not sent: {shown}{more}",
        hint=f"send a copy in which links are files: `cp -RL {source} COPY`",
    )
