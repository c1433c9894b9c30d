"""The words of this layer: where the machine is, what it said, how far a transfer is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to knock and whom to trust.

    Attributes:
        host: Address or name.
        port: SSH port.
        username: Linux user.
        key_file: Our private key (OpenSSH format, 0600).
        host_keys: Pinned OpenSSH public host keys (`ssh-ed25519 AAAA…`); any one of them is accepted, nothing else is.
        jump: A jump host to go through, as the user's own ssh takes it (`[user@]host[:port]`); empty: none.
    """

    host: str
    port: int
    username: str
    key_file: Path
    host_keys: tuple[str, ...]
    jump: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: exit code and what it said."""

    exit_code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of a tree: path relative to it (POSIX), size in bytes, SHA-256 in hex."""

    path: str
    size_bytes: int
    sha256: str


class TransferProgress(Protocol):
    """Called from any thread while bytes move."""

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        """`done_bytes` of `total_bytes` have been confirmed."""
        ...
