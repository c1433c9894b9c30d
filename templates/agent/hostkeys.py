"""The machine makes its own SSH host key, in two steps: shown first, used only after the client has pinned it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from templates.agent.errors import SystemCommandError
from templates.agent.system import call

_KEY = "ssh_host_ed25519_key"
# Ubuntu's name of the unit, then everybody else's.
_SSHD_UNITS = ("ssh", "sshd")


def new_host_key() -> dict[str, Any]:
    """Make the next host key, unless it is there already; its public half goes to the client.

    Raises:
        SystemCommandError: ssh-keygen failed, or the folder may not be written.
    """
    following = _folder() / f"{_KEY}.next"
    if call(*_rights(), "test", "-s", str(following), accept=(0, 1)).returncode:
        call(*_rights(), "rm", "-f", str(following))
        call(*_rights(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(following))
    return {"public_key": _public_half(following)}


def activate_host_key() -> dict[str, Any]:
    """Put the next host key in force and remove every other one, the one-time key above all. Idempotent.

    Raises:
        SystemCommandError: There is neither a next nor a present key, or sshd cannot be told.
    """
    folder = _folder()
    following, present = folder / f"{_KEY}.next", folder / _KEY
    if call(*_rights(), "test", "-s", str(following), accept=(0, 1)).returncode == 0:
        call(*_rights(), "mv", "-f", str(following), str(present))
        call(*_rights(), "rm", "-f", f"{following}.pub")
    public = _public_half(present)
    others = [str(path) for path in folder.glob("ssh_host_*") if path.name != present.name]
    if others:
        call(*_rights(), "rm", "-f", *others)
    _reread()
    return {"public_key": public}


def _folder() -> Path:
    return Path(os.environ.get("LLAMALIFT_SSH_DIR", "/etc/ssh"))


def _rights() -> list[str]:
    return [] if os.access(_folder(), os.W_OK) else ["sudo", "-n"]


def _public_half(private: Path) -> str:
    """Derived from the private key itself: a half-written pair is found out here."""
    words = call(*_rights(), "ssh-keygen", "-y", "-P", "", "-f", str(private)).stdout.split()
    return " ".join(words[:2])


def _reread() -> None:
    """Make sshd load its keys again; connections that are open go on."""
    pid_file = os.environ.get("LLAMALIFT_SSHD_PID_FILE")
    if pid_file:
        os.kill(int(Path(pid_file).read_text()), signal.SIGHUP)
        return
    for unit in _SSHD_UNITS:
        if call(*_rights(), "systemctl", "reload", unit, accept=(0, 1, 3, 4, 5)).returncode == 0:
            return
    raise SystemCommandError(f"sshd was not told of its new key; no such unit: {' or '.join(_SSHD_UNITS)}")
