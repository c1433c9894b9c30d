"""A real OpenSSH server on 127.0.0.1, run by the current user: what sessions and transfers are tried against."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote.keys import ensure_user_key
from remote.types import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SshMachine:
    """A server that accepts connections.

    Attributes:
        endpoint: How to reach it, with its host key pinned.
        folder: Its own folder: keys, settings, log.
        workspace: What LLAMALIFT_WORKSPACE says inside it.
        pid: The listening process.
    """

    endpoint: Endpoint
    folder: Path
    workspace: Path
    pid: int

    @property
    def ssh_dir(self) -> Path:
        """Where its host keys are."""
        return self.folder / "ssh"

    def at(self, port: int) -> Endpoint:
        """The same machine behind another port of this computer."""
        return replace(self.endpoint, port=port)

    def session_pids(self) -> list[int]:
        """The processes that serve open connections."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, check=False)
        return [int(word) for word in children.stdout.split()]


@contextmanager
def ssh_machine(
    folder: Path, *, host_key_type: str = "ed25519", environment: Mapping[str, str] | None = None
) -> Iterator[SshMachine]:
    """Run a server under `folder` until the block ends. Skips, saying why, where OpenSSH's server is not installed.

    Args:
        folder: A new folder for all that it needs.
        host_key_type: `ed25519`, `ecdsa` or `rsa`.
        environment: Variables of every command on it, next to those that a local machine has.
    """
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if sshd is None:
        if os.environ.get("CI"):
            pytest.fail("OpenSSH's server is not installed, and CI must not skip this")
        pytest.skip("needs OpenSSH's server (openssh-server), which is not installed here")
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    port = _free_port()
    variables = {
        "LLAMALIFT_WORKSPACE": str(workspace),
        "LLAMALIFT_SSH_DIR": str(folder / "ssh"),
        "LLAMALIFT_SSHD_PID_FILE": str(folder / "sshd.pid"),
        **(environment or {}),
    }
    public_line = _write_settings(folder, port, host_key_type, variables)
    user_key = ensure_user_key(folder / "client")
    (folder / "ssh" / "authorized_keys").write_text(user_key.public_line + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # OpenSSH's privilege separation wants it where the server is root
    server = subprocess.Popen([sshd, "-D", "-f", str(folder / "ssh" / "sshd_config"), "-E", str(folder / "sshd.log")])
    try:
        _wait_for(port, server, folder)
        endpoint = Endpoint("127.0.0.1", port, getpass.getuser(), user_key.private_file, (public_line,))
        yield SshMachine(endpoint, folder, workspace, server.pid)
    finally:
        _end(server)


def _write_settings(folder: Path, port: int, host_key_type: str, variables: Mapping[str, str]) -> str:
    ssh_dir = folder / "ssh"
    ssh_dir.mkdir(mode=0o700)
    host_key = ssh_dir / f"ssh_host_{host_key_type}_key"
    subprocess.run(["ssh-keygen", "-q", "-t", host_key_type, "-N", "", "-f", str(host_key)], check=True)
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "HostKey": host_key,
        "AuthorizedKeysFile": ssh_dir / "authorized_keys",
        "PidFile": folder / "sshd.pid",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "MaxStartups": 100,
        "LogLevel": "VERBOSE",
        "Subsystem": "sftp internal-sftp",
        "SetEnv": " ".join(f"{name}={value}" for name, value in variables.items()),
    }
    (ssh_dir / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    kind, key = host_key.with_suffix(".pub").read_text().split()[:2]
    return f"{kind} {key}"


def _wait_for(port: int, server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as knock:
            if server.poll() is None and knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.02)
    pytest.fail(f"sshd did not start: {(folder / 'sshd.log').read_text()}")


def _end(server: subprocess.Popen[bytes]) -> None:
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, check=False)
    server.terminate()
    server.wait(timeout=10)
    for pid in children.stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
