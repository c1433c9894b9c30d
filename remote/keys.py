"""Our key pair for the machine, the machine's one-time host key, and what the system's own ssh needs to use them."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remote.errors import RemoteError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from remote.types import Endpoint

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
        RemoteError: The existing private key cannot be read as an ed25519 key.
    """
    private_file = folder / USER_KEY_NAME
    if not private_file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(private_file, _private_pem(_new_key()))
    private_file.chmod(0o600)
    return UserKey(private_file, f"{_public_line(_load(private_file))} llamalift")


def generate_host_key() -> HostKey:
    """A fresh ed25519 host key."""
    key = _new_key()
    return HostKey(_private_pem(key).decode(), _public_line(key))


def write_ssh_config(endpoint: Endpoint, folder: Path) -> Path:
    """Write `ssh_config` and `known_hosts` for the system's ssh (`ssh -F <file> machine`); returns the config file.

    Checking is as strict as in our own sessions: only the pinned keys, no question asked, no other identity offered.
    """
    known_hosts = folder / "known_hosts"
    config = folder / "ssh_config"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _replace(known_hosts, "".join(f"machine {key}\n" for key in endpoint.host_keys))
    lines = {
        "HostName": endpoint.host,
        "Port": str(endpoint.port),
        "User": endpoint.username,
        "IdentityFile": _quoted(endpoint.key_file),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": "machine",
        "UserKnownHostsFile": _quoted(known_hosts),
        "GlobalKnownHostsFile": "none",
        "UpdateHostKeys": "no",
        "HostKeyAlgorithms": _host_key_algorithms(endpoint.host_keys),
        "ForwardAgent": "no",
        "ServerAliveInterval": "15",
    }
    _replace(config, "Host machine\n" + "".join(f"  {name} {value}\n" for name, value in lines.items()))
    return config


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


def _host_key_algorithms(public_lines: tuple[str, ...]) -> str:
    return ",".join(dict.fromkeys(name for line in public_lines for name in host_key_algorithms(line)))


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


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _quoted(path: Path) -> str:
    # ssh_config expands %-tokens in these two options and splits at spaces outside double quotes.
    return '"' + str(path.absolute()).replace("%", "%%") + '"'
