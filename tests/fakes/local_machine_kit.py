"""What a test needs around a local machine: keys, customData, a spec, and real SSH clients."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from provisioning.rehearsal.machines import LocalMachineSpec
from remote.keys import HostKey, UserKey, ensure_user_key, generate_host_key
from templates.cloud_init import CloudInitValues, render_cloud_init

if TYPE_CHECKING:
    from collections.abc import Callable

USERNAME = "azureuser"
PORT = 2222

_numbers = itertools.count(1)


def fresh_address() -> str:
    """A loopback address that no other test, here or in another process, uses."""
    pid = os.getpid()
    return f"127.{100 + pid // 250 % 100}.{1 + pid % 250}.{next(_numbers)}"


@dataclass(frozen=True)
class MachineKit:
    """One machine's folder, keys and spec."""

    folder: Path
    user_key: UserKey
    host_key: HostKey
    spec: LocalMachineSpec

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with the host key of the customData, and nothing else."""
        path = self.folder / "known_hosts"
        if not path.exists():
            path.write_text(f"[{self.spec.address}]:{self.spec.port} {self.host_key.public_line}\n")
        return path

    def options(self) -> list[str]:
        """Options of OpenSSH's programs: this key, this known host, nothing of the user's own."""
        return [
            "-F", "none", "-i", str(self.user_key.private_file), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.known_hosts}",
        ]  # fmt: skip

    def argv(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        """An `ssh` call."""
        port = str(self.spec.port)
        return ["ssh", *self.options(), *options, "-p", port, f"{USERNAME}@{self.spec.address}", *command]

    def ssh(self, command: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one command over OpenSSH."""
        return subprocess.run(self.argv(command), input=stdin, capture_output=True, check=False, timeout=60)

    def output(self, command: str) -> str:
        """What a command that must succeed prints."""
        done = self.ssh(command)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def paramiko_client(self) -> paramiko.SSHClient:
        """A connected paramiko client that refuses unknown hosts."""
        client = paramiko.SSHClient()
        client.load_host_keys(str(self.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        # Without it every small request waits 40 ms for a delayed acknowledgement.
        connection = socket.create_connection((self.spec.address, self.spec.port), timeout=20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(
            self.spec.address,
            self.spec.port,
            USERNAME,
            key_filename=str(self.user_key.private_file),
            allow_agent=False,
            look_for_keys=False,
            sock=connection,
        )
        return client


def make_kit(
    folder: Path, *, agent: bytes, cache: Path | None = None, name: str = "vm-1", run_json: str = "{}"
) -> MachineKit:
    """A machine that has never booted; `agent` is what cloud-init runs, with `run_json` as its configuration."""
    (folder / "disk").mkdir(parents=True)
    user_key = ensure_user_key(folder / "keys")
    host_key = generate_host_key()
    custom_data = render_cloud_init(
        CloudInitValues(USERNAME, user_key.public_line, host_key.private_pem, host_key.public_line, run_json, agent)
    )
    spec = LocalMachineSpec(
        name=name,
        folder=folder / "machine",
        address=fresh_address(),
        port=PORT,
        workspace_folder=folder / "disk",
        environment_cache=cache or folder / "cache",
        username=USERNAME,
        ssh_public_key=user_key.public_line,
        custom_data=custom_data,
    )
    return MachineKit(folder, user_key, host_key, spec)


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def process_exists(pid: int) -> bool:
    """True while the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
