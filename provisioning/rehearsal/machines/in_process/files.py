"""SFTP on the host's files; relative paths start in the machine's home."""
# ruff: noqa: D102 (the methods are those of paramiko's interface, which documents them)

from __future__ import annotations

import contextlib
import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import paramiko
from paramiko import SFTPAttributes, SFTPServer
from paramiko.sftp import SFTP_FAILURE, SFTP_OK

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

P = ParamSpec("P")
T = TypeVar("T")


def _answering(operation: Callable[P, T]) -> Callable[P, T | int]:
    """Turn an OSError into the protocol's status code."""

    @wraps(operation)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T | int:
        try:
            return operation(*args, **kwargs)
        except OSError as error:
            return SFTPServer.convert_errno(error.errno) if error.errno else SFTP_FAILURE

    return answer


class FileSubsystem(SFTPServer):
    """Says at its end that all went well: scp counts a missing exit code as a failure."""

    def finish_subsystem(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError, EOFError):  # the client has left
                self.sock.send_exit_status(0)
        super().finish_subsystem()


class FileServer(paramiko.SFTPServerInterface):
    """What `sftp`, `scp` and paramiko's client ask for."""

    def __init__(self, server: paramiko.ServerInterface, home: str) -> None:
        super().__init__(server)
        self._home = Path(home)

    def canonicalize(self, path: str) -> str:
        return os.path.normpath(self._home / path)

    @_answering
    def list_folder(self, path: str) -> list[SFTPAttributes]:
        with os.scandir(self._home / path) as entries:
            return [SFTPAttributes.from_stat(entry.stat(follow_symlinks=False), entry.name) for entry in entries]

    @_answering
    def stat(self, path: str) -> SFTPAttributes:
        return SFTPAttributes.from_stat((self._home / path).stat())

    @_answering
    def lstat(self, path: str) -> SFTPAttributes:
        return SFTPAttributes.from_stat((self._home / path).lstat())

    @_answering
    def open(self, path: str, flags: int, attr: SFTPAttributes) -> paramiko.SFTPHandle:
        mode = attr.st_mode if attr.st_mode is not None else 0o666
        return _OpenFile(os.open(self._home / path, flags, mode & 0o7777), flags)

    @_answering
    def remove(self, path: str) -> int:
        (self._home / path).unlink()
        return SFTP_OK

    @_answering
    def rename(self, oldpath: str, newpath: str) -> int:
        """SFTP's own rename never replaces a file."""
        if (self._home / newpath).exists():
            return SFTP_FAILURE
        (self._home / oldpath).rename(self._home / newpath)
        return SFTP_OK

    @_answering
    def posix_rename(self, oldpath: str, newpath: str) -> int:
        (self._home / oldpath).replace(self._home / newpath)
        return SFTP_OK

    @_answering
    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        (self._home / path).mkdir(attr.st_mode if attr.st_mode is not None else 0o777)
        return SFTP_OK

    @_answering
    def rmdir(self, path: str) -> int:
        (self._home / path).rmdir()
        return SFTP_OK

    @_answering
    def chattr(self, path: str, attr: SFTPAttributes) -> int:
        _set_attributes(self._home / path, attr)
        return SFTP_OK

    @_answering
    def symlink(self, target_path: str, path: str) -> int:
        (self._home / path).symlink_to(target_path)
        return SFTP_OK

    @_answering
    def readlink(self, path: str) -> str:
        return str((self._home / path).readlink())


class _OpenFile(paramiko.SFTPHandle):
    """One open file; requests carry their own offset."""

    def __init__(self, descriptor: int, flags: int) -> None:
        super().__init__(flags)
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    @_answering
    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    @_answering
    def write(self, offset: int, data: ReadableBuffer) -> int:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written
        return SFTP_OK

    @_answering
    def stat(self) -> SFTPAttributes:
        return SFTPAttributes.from_stat(os.fstat(self._descriptor))

    @_answering
    def chattr(self, attr: SFTPAttributes) -> int:
        _set_attributes(self._descriptor, attr)
        return SFTP_OK


def _set_attributes(file: Path | int, attr: SFTPAttributes) -> None:
    """Not paramiko's own helper: that one empties a file to change its size."""
    if attr.st_size is not None:
        os.truncate(file, attr.st_size)
    if attr.st_mode is not None:
        os.chmod(file, attr.st_mode & 0o7777)  # noqa: PTH101 (it may be a descriptor)
    if attr.st_uid is not None and attr.st_gid is not None:
        os.chown(file, attr.st_uid, attr.st_gid)
    if attr.st_atime is not None and attr.st_mtime is not None:
        os.utime(file, (attr.st_atime, attr.st_mtime))
