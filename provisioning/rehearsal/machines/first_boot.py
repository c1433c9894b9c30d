"""Applies a cloud-config to a machine's disk, and accounts to the console log for every step."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from provisioning.rehearsal.machines.cloud_config import CloudConfig, ConfiguredFile, parse_custom_data
from provisioning.rehearsal.machines.disk import MachineDisk
from provisioning.rehearsal.machines.spec import LocalMachineSpec

_WRITABLE = frozenset({"etc", "home", "opt"})
"""Top-level folders that are the machine's own; everything else comes read-only from the host or is empty at boot."""

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


def runcmd_script(commands: list[str | list[str]], remapped: Callable[[str], str]) -> str:
    """The shell script that cloud-init makes of `runcmd`: one failing command does not stop the next.

    Args:
        commands: Shell lines and lists of words.
        remapped: Turns a path of the machine into where it really is; the identity in a sandbox.
    """
    lines = ["#!/bin/sh"]
    for command in commands:
        if isinstance(command, str):
            lines.append(command)
        else:
            lines.append(shlex.join(remapped(word) for word in command))
    return "\n".join(lines) + "\n"


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
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

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
