"""What the system's own OpenSSH programs, and whatever builds on them, need to reach a machine as strictly as we do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from remote.jump import proxy_command
from remote.keys import host_key_algorithms, refuse_exposed

if TYPE_CHECKING:
    from pathlib import Path

    from remote.types import Endpoint

CONFIG_NAME = "ssh_config"
KNOWN_HOSTS_NAME = "known_hosts"


def write_ssh_config(endpoint: Endpoint, folder: Path, alias: str = "machine") -> Path:
    """Write `ssh_config` and `known_hosts` (both 0600) for `ssh -F FILE ALIAS`; returns the config file.

    Checking is as strict as in our own sessions: only the pinned keys, no question asked, no other identity offered.
    What is said here cannot be said otherwise by a `Host *` of the user's, who may include the file.

    Raises:
        RemoteError: The private key can be read by others.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    refuse_exposed(endpoint.key_file)
    known_hosts, config = folder / KNOWN_HOSTS_NAME, folder / CONFIG_NAME
    _replace(known_hosts, "".join(f"{alias} {key}\n" for key in endpoint.host_keys))
    settings = _settings(endpoint, known_hosts, alias)
    _replace(config, f"Host {alias}\n" + "".join(f"  {name} {value}\n" for name, value in settings.items()))
    return config


def quoted(path: Path) -> str:
    """A path as ssh_config wants it: `%` begins a token there, and words end at spaces outside double quotes."""
    return '"' + str(path.absolute()).replace("%", "%%") + '"'


def _settings(endpoint: Endpoint, known_hosts: Path, alias: str) -> dict[str, str]:
    return {
        "HostName": endpoint.host,
        "Port": str(endpoint.port),
        "User": endpoint.username,
        "IdentityFile": quoted(endpoint.key_file),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": alias,
        "CheckHostIP": "no",
        "UserKnownHostsFile": quoted(known_hosts),
        "GlobalKnownHostsFile": "none",
        "KnownHostsCommand": "none",
        "UpdateHostKeys": "no",
        "HostKeyAlgorithms": ",".join(
            dict.fromkeys(name for line in endpoint.host_keys for name in host_key_algorithms(line))
        ),
        # What runs on the machine must not come back to this computer.
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "Tunnel": "no",
        # A shared connection outlives the check of its host key.
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
        "ProxyCommand": _proxy(endpoint.jump),
    }


def _proxy(jump: str) -> str:
    # Not ProxyJump: with -F it would look for the jump host in our file only, not in the user's own.
    return proxy_command(jump) if jump else "none"


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
