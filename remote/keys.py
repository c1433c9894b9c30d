"""Our key pair for the machine, and the machine's one-time host key."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remote.errors import RemoteError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


USER_KEY_NAME = "id_ed25519"


@dataclass(frozen=True, slots=True)
class UserKey:
    """Our key pair for one run.

    Attributes:
        private_file: OpenSSH private key, readable by its owner only.
        public_line: `ssh-ed25519 AAAA… llamalift`.
    """

    private_file: Path
    public_line: str


@dataclass(frozen=True, slots=True)
class HostKey:
    """A one-time host key: it touches no disk here, rides in the custom data and is replaced after the first sign-in.

    Attributes:
        private_pem: OpenSSH private key text.
        public_line: `ssh-ed25519 AAAA…`.
    """

    private_pem: str = field(repr=False)
    public_line: str


def ensure_user_key(folder: Path) -> UserKey:
    """The key pair in `folder`, made when there is none; the private file is 0600 from its first byte on.

    Raises:
        RemoteError: The existing private key cannot be read as an ed25519 key, or can be read by others.
    """
    private_file = folder / USER_KEY_NAME
    if not private_file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(private_file, _private_pem(_new_key()))
    refuse_exposed(private_file)
    return UserKey(private_file, f"{_public_line(_load(private_file))} llamalift")


def refuse_exposed(private_file: Path) -> None:
    """Refuse a private key that others can read: who has had the file can be on the machine.

    Narrowed without a word, a key that somebody has copied meanwhile would pass for a private one.

    Raises:
        RemoteError: Its mode grants others something, or it belongs to somebody else; or it is not there.
    """
    try:
        status = private_file.stat()
    except OSError as error:
        raise RemoteError(
            f"the run's private key cannot be read: {private_file} ({error.strerror})",
            hint="`llamalift adopt RUN` plants a new one on the machine; `llamalift down --discard RUN` needs none",
        ) from error
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077 or status.st_uid not in {0, os.geteuid()}:
        raise RemoteError(
            f"the run's private key can be read by others (mode {mode:04o}, owner {status.st_uid}): {private_file}",
            hint=f"if nobody has copied it: `chmod 600 {shlex.quote(str(private_file))}`; else delete it, and "
            "`llamalift adopt RUN` plants a new one on the machine",
        )


def generate_host_key() -> HostKey:
    """A fresh ed25519 host key."""
    key = _new_key()
    return HostKey(_private_pem(key).decode(), _public_line(key))


def host_key_algorithms(public_line: str) -> tuple[str, ...]:
    """The signature algorithms of a pinned key's type: RSA signs under two newer names, every other under its own."""
    kind = public_line.split(maxsplit=1)[0]
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def public_key_bytes(public_line: str) -> bytes:
    """The key itself, without its type's name and comment.

    Raises:
        RemoteError: Not an OpenSSH public key line.
    """
    try:
        return base64.b64decode(public_line.split()[1], validate=True)
    except (IndexError, ValueError) as error:
        raise RemoteError(f"not an OpenSSH public key: {public_line!r}") from error


def fingerprint(key_bytes: bytes) -> str:
    """As OpenSSH prints it: `SHA256:` and the unpadded base64 of the digest."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key_bytes).digest()).decode().rstrip("=")


def _new_key() -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def _load(private_file: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = load_ssh_private_key(private_file.read_bytes(), password=None)
    except (ValueError, UnsupportedAlgorithm, TypeError) as error:
        raise _not_ours(private_file) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_ours(private_file)
    return key


def _not_ours(private_file: Path) -> RemoteError:
    return RemoteError(
        f"not an ed25519 private key in OpenSSH format: {private_file}",
        hint="without the right one the machine cannot be reached; `llamalift down --discard RUN` deletes it",
    )


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def _public_line(key: Ed25519PrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization

    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return line.decode()


def _write_private(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
