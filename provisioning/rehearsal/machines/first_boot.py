"""Applies a cloud-config to a machine's disk, and accounts to the console log for every step."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from provisioning.rehearsal.machines.cloud_config import CloudConfig, ConfiguredFile, parse_custom_data

if TYPE_CHECKING:
    from provisioning.rehearsal.machines.disk import MachineDisk
    from provisioning.rehearsal.machines.spec import LocalMachineSpec

_WRITABLE = frozenset({"etc", "home", "opt"})
"""Top-level folders that are the machine's own; everything else comes read-only from the host or is empty at boot."""

_PATH = re.compile(r"/(?:etc|opt)/[^\s'\";|&<>()]+")

Log = Callable[[str], None]


def apply_custom_data(spec: LocalMachineSpec, disk: MachineDisk, log: Log) -> list[str | list[str]]:
    """Do what cloud-init does once per instance: users, host keys, files.

    Returns:
        The commands to run after the SSH server has started.
    """
    config = parse_custom_data(spec.custom_data)
    for file in config.files:
        _write_file(config, disk, file, log)
    _write_host_keys(config, disk, log)
    _write_authorized_keys(config, spec, disk, log)
    for problem in config.problems:
        log(f"cloud-init: ERROR: refused: {problem}")
    return config.commands


def runcmd_script(commands: list[str | list[str]], outside: MachineDisk | None = None) -> str:
    """The shell script that cloud-init makes of `runcmd`: one failing command does not stop the next.

    Args:
        commands: Shell lines and lists of words.
        outside: The disk with the files that they name, when the script does not run inside a sandbox.
    """
    lines = ["#!/bin/sh"]
    for command in commands:
        if isinstance(command, str):
            lines.append(_PATH.sub(lambda path: shlex.quote(_on_host(path[0], outside)), command))
        else:
            words = (_PATH.sub(lambda path: _on_host(path[0], outside), word) for word in command)
            lines.append(shlex.join(words))
    return "\n".join(lines) + "\n"


def _on_host(path: str, outside: MachineDisk | None) -> str:
    own = outside.root / path.lstrip("/") if outside is not None else None
    return str(own) if own is not None and own.is_file() else path


def _write_file(config: CloudConfig, disk: MachineDisk, file: ConfiguredFile, log: Log) -> None:
    path = PurePosixPath(file.path)
    if ".." in path.parts or path.parts[1] not in _WRITABLE:
        config.refuse(f"a local machine has its own /{', /'.join(sorted(_WRITABLE))} only, path: {path}")
        return
    target = disk.root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.content)
    target.chmod(file.mode)
    log(f"cloud-init: wrote {path} ({len(file.content)} bytes)")


def _write_host_keys(config: CloudConfig, disk: MachineDisk, log: Log) -> None:
    """Like ssh_deletekeys and ssh_keys; without the latter the machine makes its own key, as Ubuntu does."""
    for old in disk.ssh_folder.glob("ssh_host_*key*"):
        old.unlink()
    if not any(name.endswith("_private") for name in config.host_keys):
        config.host_keys.update(_fresh_host_key())
        log("cloud-init: made a host key, because ssh_keys has none")
    for name, text in config.host_keys.items():
        kind, _, half = name.partition("_")
        private = half == "private"
        target = disk.ssh_folder / f"ssh_host_{kind}_key{'' if private else '.pub'}"
        _write_with_mode(target, text.rstrip("\n") + "\n", 0o600 if private else 0o644)
    log(f"cloud-init: host keys: {', '.join(sorted(config.host_keys))}")


def _fresh_host_key() -> dict[str, str]:
    # Imported here: most machines bring their key, and this import takes a while.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return {"ed25519_private": private.decode(), "ed25519_public": public.decode()}


def _write_authorized_keys(config: CloudConfig, spec: LocalMachineSpec, disk: MachineDisk, log: Log) -> None:
    keys = [spec.ssh_public_key] if config.wants_default_user else []
    for user in config.users or []:
        if user.name == spec.username:
            keys.extend(user.authorized_keys)
        else:
            config.refuse(f"a local machine has one user, {spec.username}; not made: {user.name}")
    lines = list(dict.fromkeys(key.strip() for key in keys))
    _write_with_mode(disk.home / ".ssh" / "authorized_keys", "".join(f"{line}\n" for line in lines), 0o600)
    log(f"cloud-init: user {spec.username} with {len(lines)} authorised key(s)")


def _write_with_mode(target: Path, text: str, mode: int) -> None:
    target.touch(mode=mode)
    target.chmod(mode)
    target.write_text(text)
