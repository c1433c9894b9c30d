"""Reads customData the way cloud-init does, for the keys that we send.

Anything else is not silently dropped: it becomes a problem in the machine's console log, as cloud-init's own schema
warnings do, and the rest is applied. (A machine whose customData is nonsense still boots on Azure, and so does ours.)
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class ConfiguredUser:
    """One entry of `users`."""

    name: str
    authorized_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfiguredFile:
    """One entry of `write_files`, decoded."""

    path: str
    content: bytes
    mode: int


@dataclass(slots=True)
class CloudConfig:
    """What customData asks for.

    Attributes:
        users: None when the key is absent: then the image's default user, which Azure names in `osProfile`, is made.
        host_keys: Such as `{"ed25519_private": ..., "ed25519_public": ...}`.
        files: In the order given.
        commands: `runcmd`, each a shell line or a list of words.
        problems: What was refused, in words for the console log.
    """

    users: list[ConfiguredUser] | None = None
    wants_default_user: bool = True
    host_keys: dict[str, str] = field(default_factory=dict)
    files: list[ConfiguredFile] = field(default_factory=list)
    commands: list[str | list[str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def refuse(self, what: str) -> None:
        """Note a part that will not be applied."""
        self.problems.append(what)


def parse_custom_data(custom_data: bytes) -> CloudConfig:
    """Interpret customData; never raises, because the machine boots whatever it is."""
    config = CloudConfig()
    document = _document(custom_data, config)
    for key, value in document.items():
        reader = _READERS.get(key)
        if reader is None:
            config.refuse(f"unsupported key: {key}")
        else:
            reader(config, value)
    return config


def _document(custom_data: bytes, config: CloudConfig) -> Mapping[str, Any]:
    if not custom_data.strip():
        return {}
    try:
        text = _unpacked(custom_data).decode()
        if not text.startswith("#cloud-config"):
            config.refuse(f"only #cloud-config is understood, first line: {text.splitlines()[0][:60]}")
            return {}
        document = yaml.safe_load(text)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, yaml.YAMLError) as error:
        config.refuse(f"customData cannot be read: {error}")
        return {}
    if isinstance(document, dict):
        return document
    if document is not None:
        config.refuse("the document is not a mapping")
    return {}


def _unpacked(custom_data: bytes) -> bytes:
    return gzip.decompress(custom_data) if custom_data.startswith(b"\x1f\x8b") else custom_data


def _read_users(config: CloudConfig, value: object) -> None:
    if not isinstance(value, list):
        config.refuse("users is not a list")
        return
    config.wants_default_user = "default" in value
    config.users = [user for entry in value if entry != "default" if (user := _user(config, entry)) is not None]


_USER_KEYS = {"name", "gecos", "groups", "lock_passwd", "shell", "ssh_authorized_keys", "sudo"}


def _user(config: CloudConfig, entry: object) -> ConfiguredUser | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        config.refuse(f"users has an entry without a name: {entry}")
        return None
    for key in sorted(entry.keys() - _USER_KEYS):
        config.refuse(f"unsupported key of user {entry['name']}: {key}")
    return ConfiguredUser(entry["name"], tuple(str(key) for key in entry.get("ssh_authorized_keys", [])))


def _read_host_keys(config: CloudConfig, value: object) -> None:
    if not isinstance(value, dict):
        config.refuse("ssh_keys is not a mapping")
        return
    for name, text in value.items():
        kind, _, half = str(name).partition("_")
        if kind in {"rsa", "ecdsa", "ed25519"} and half in {"private", "public"}:
            config.host_keys[name] = str(text)
        else:
            config.refuse(f"unsupported host key: {name}")


def _read_files(config: CloudConfig, value: object) -> None:
    if not isinstance(value, list):
        config.refuse("write_files is not a list")
        return
    for entry in value:
        file = _file(config, entry)
        if file is not None:
            config.files.append(file)


_FILE_KEYS = {"path", "content", "encoding", "owner", "permissions"}


def _file(config: CloudConfig, entry: object) -> ConfiguredFile | None:
    if not isinstance(entry, dict) or not str(entry.get("path", "")).startswith("/"):
        config.refuse(f"write_files has an entry without an absolute path: {str(entry)[:80]}")
        return None
    path = str(entry["path"])
    for key in sorted(entry.keys() - _FILE_KEYS):
        config.refuse(f"unsupported key of file {path}: {key}")
    try:
        content = _decoded(str(entry.get("content", "")), str(entry.get("encoding", "text/plain")))
        mode = int(str(entry["permissions"]), 8) if "permissions" in entry else DEFAULT_MODE
    except (binascii.Error, OSError, EOFError, zlib.error, ValueError) as error:
        config.refuse(f"{path} cannot be decoded: {error}")
        return None
    return ConfiguredFile(path, content, mode)


def _decoded(content: str, encoding: str) -> bytes:
    if encoding in {"b64", "base64"}:
        return base64.b64decode(content, validate=True)
    if encoding in {"gz+b64", "gz+base64", "gzip+b64", "gzip+base64"}:
        return gzip.decompress(base64.b64decode(content, validate=True))
    if encoding == "text/plain":
        return content.encode()
    raise ValueError(f"unsupported encoding: {encoding}")


def _read_commands(config: CloudConfig, value: object) -> None:
    if not isinstance(value, list):
        config.refuse("runcmd is not a list")
        return
    for entry in value:
        if isinstance(entry, str):
            config.commands.append(entry)
        elif isinstance(entry, list):
            config.commands.append([str(word) for word in entry])
        else:
            config.refuse(f"runcmd has an entry that is neither text nor a list: {entry}")


def _only_true(config: CloudConfig, value: object) -> None:
    if value is not True:
        config.refuse("ssh_deletekeys and disable_root are always true on a local machine")


def _only_false(config: CloudConfig, value: object) -> None:
    if value is not False:
        config.refuse("ssh_pwauth, package_update and package_upgrade are always false on a local machine")


_READERS: dict[str, Callable[[CloudConfig, Any], None]] = {
    "users": _read_users,
    "ssh_keys": _read_host_keys,
    "write_files": _read_files,
    "runcmd": _read_commands,
    "ssh_deletekeys": _only_true,
    "ssh_pwauth": _only_false,
    "disable_root": _only_true,
    "package_update": _only_false,
    "package_upgrade": _only_false,
}
