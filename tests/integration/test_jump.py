"""Through a jump host: two real OpenSSH servers, and the system's own ssh between us and the first."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remote.command import Command
from remote.errors import HostKeyChangedError, JumpRefusedError, UnreachableError
from remote.jump import check_jump
from remote.keys import ensure_user_key, generate_host_key
from remote.session import Session
from remote.ssh_config import write_ssh_config
from tests.fakes.ssh_machine import SshMachine, ssh_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from remote.types import Endpoint


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SshMachine, SshMachine]]:
    """The machine, and the jump host in front of it."""
    folder = tmp_path_factory.mktemp("jump")
    with ssh_machine(folder / "machine") as machine, ssh_machine(folder / "bastion") as bastion:
        yield machine, bastion


class Bastion:
    """What the user's own ssh knows of the jump host, which it calls `bastion`."""

    def __init__(self, folder: Path, machine: SshMachine) -> None:
        self.known_hosts, self._config, self._endpoint = folder / "known_hosts", folder / "config", machine.endpoint
        self.known_hosts.write_text(f"[127.0.0.1]:{machine.endpoint.port} {machine.endpoint.host_keys[0]}\n")
        self.is_at(port=machine.endpoint.port, key_file=machine.endpoint.key_file)

    def is_at(self, *, port: int | None = None, key_file: Path | None = None) -> None:
        """Say where it is and with which key it lets the user in."""
        self._endpoint = replace(
            self._endpoint, port=port or self._endpoint.port, key_file=key_file or self._endpoint.key_file
        )
        self._config.write_text(
            f"Host bastion\n  HostName 127.0.0.1\n  Port {self._endpoint.port}\n  User {self._endpoint.username}\n"
            f"  IdentityFile {self._endpoint.key_file}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile none\n"
        )


@pytest.fixture
def bastion(machines: tuple[SshMachine, SshMachine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bastion:
    """The user's settings; OpenSSH finds its own by the user database, so that a test cannot give it another home."""
    made, programs = Bastion(tmp_path, machines[1]), tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path / "config"} "$@"\n')
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return made


@pytest.fixture
def behind(machines: tuple[SshMachine, SshMachine]) -> Endpoint:
    """The machine by way of the jump host."""
    return replace(machines[0].endpoint, jump="bastion")


@pytest.mark.usefixtures("bastion")
def test_a_machine_behind_a_jump_host_is_reached(behind: Endpoint, machines: tuple[SshMachine, SshMachine]) -> None:
    """Commands and bytes pass as they do directly, and the jump host saw the connection."""
    data = os.urandom(100_000) * 30
    before = len((machines[1].folder / "sshd.log").read_text())
    check_jump("bastion")
    with Session.connect(behind, deadline_seconds=20) as session:
        assert session.run(Command.of("cat"), stdin=data).stdout == data
        assert session.host_key == behind.host_keys[0]
        assert session.is_connected()
    assert "Accepted publickey" in (machines[1].folder / "sshd.log").read_text()[before:]


def test_nobody_listens_in_at_the_jump_host(bastion: Bastion, behind: Endpoint) -> None:
    """An unknown host key of the jump host: told at once, whatever the deadline, and before anything is rented."""
    bastion.known_hosts.write_text(f"bastion {generate_host_key().public_line}\n")
    began = time.monotonic()
    with pytest.raises(JumpRefusedError, match="Host key verification failed") as caught:
        Session.connect(behind, deadline_seconds=60)
    with pytest.raises(JumpRefusedError):
        check_jump("bastion")
    assert time.monotonic() - began < 30
    assert "known_hosts" in caught.value.hint


def test_a_jump_host_that_does_not_know_us_is_told(bastion: Bastion, behind: Endpoint, tmp_path: Path) -> None:
    """Nobody is asked for a password; what ssh said last is the reason."""
    bastion.is_at(key_file=ensure_user_key(tmp_path / "stranger").private_file)
    with pytest.raises(JumpRefusedError, match="Permission denied"):
        Session.connect(behind, deadline_seconds=60)


@pytest.mark.usefixtures("bastion")
def test_a_jump_host_cannot_pass_for_the_machine(behind: Endpoint, machines: tuple[SshMachine, SshMachine]) -> None:
    """Whoever answers behind it must show the pinned key: it could lead us anywhere."""
    astray = replace(behind, port=machines[1].endpoint.port)
    with pytest.raises(HostKeyChangedError):
        Session.connect(astray, deadline_seconds=60)


@pytest.mark.usefixtures("bastion")
def test_a_machine_that_boots_behind_it_is_waited_for(behind: Endpoint) -> None:
    """The jump host lets us in, nobody answers behind it: that passes by itself, and is tried until the deadline."""
    said: list[str] = []
    with pytest.raises(UnreachableError, match="behind the jump host"):
        Session.connect(replace(behind, port=_closed_port()), deadline_seconds=2, progress=said.append)
    assert said


def test_a_jump_host_that_is_not_there_is_waited_for(bastion: Bastion, behind: Endpoint) -> None:
    """A laptop without a network is no reason to give up at once."""
    bastion.is_at(port=_closed_port())
    with pytest.raises(UnreachableError, match="refused"):
        Session.connect(behind, deadline_seconds=0)


@pytest.mark.usefixtures("bastion")
def test_a_cut_at_the_jump_host_is_a_lost_connection(behind: Endpoint, machines: tuple[SshMachine, SshMachine]) -> None:
    """It is told as such, and the next connection works."""
    with Session.connect(behind, deadline_seconds=20) as lost, lost.start(Command.of("cat")) as running:
        running.write(b"x")
        assert running.read() == b"x"
        for pid in machines[1].session_pids():
            os.kill(pid, 9)
        with pytest.raises(UnreachableError):
            running.wait()
    with Session.connect(behind, deadline_seconds=20) as again:
        assert again.run(Command.of("echo", "on")).stdout == b"on\n"


@pytest.mark.usefixtures("bastion")
def test_the_systems_ssh_goes_the_same_way(behind: Endpoint, tmp_path: Path) -> None:
    """`llamalift ssh` and `ssh-config`: through the jump host, the machine's host key still pinned."""
    real = shutil.which("ssh", path="/usr/bin:/usr/local/bin") or "ssh"
    config = write_ssh_config(behind, tmp_path / "run")
    done = subprocess.run([real, "-F", config, "machine", "echo", "in"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "in\n"), done.stderr
    other = replace(behind, host_keys=(generate_host_key().public_line,))
    config = write_ssh_config(other, tmp_path / "run")
    assert subprocess.run([real, "-F", config, "machine", "true"], capture_output=True, check=False).returncode == 255


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
