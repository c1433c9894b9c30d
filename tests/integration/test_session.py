from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remote.command import Command, Secret
from remote.errors import (
    CommandFailedError,
    CommandTimeoutError,
    HostKeyChangedError,
    RemoteError,
    SignInRefusedError,
    UnreachableError,
)
from remote.keys import ensure_user_key, fingerprint, generate_host_key, public_key_bytes
from remote.layout import find_workspace
from remote.session import Session
from remote.ssh_config import write_ssh_config
from tests.fakes.ssh_machine import SshMachine, ssh_machine
from tests.fakes.tcp_proxy import tcp_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def session(machine: SshMachine) -> Iterator[Session]:
    """A connection of its own for each test."""
    with Session.connect(machine.endpoint, deadline_seconds=20) as connected:
        yield connected


def test_the_pinned_key_is_the_one_seen(machine: SshMachine, session: Session) -> None:
    """A session knows which host key it verified."""
    assert session.host_key == machine.endpoint.host_keys[0]


def test_output_error_and_exit_code_stay_apart(session: Session) -> None:
    """20 MB on each output at once block nothing; the exit code is the program's."""
    script = "head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; exit 3"
    done = session.run(Command.of("sh", "-c", script), check=False)
    assert (done.exit_code, len(done.stdout)) == (3, 20_000_000)
    assert len(done.stderr) == 64 * 1024


def test_large_input_goes_through_a_program_that_answers_meanwhile(session: Session) -> None:
    """30 MB in and out of one program, exactly."""
    data = os.urandom(1_000_000) * 30
    assert session.run(Command.of("cat"), stdin=data).stdout == data


def test_a_program_may_leave_its_input_unread(session: Session) -> None:
    """It ended well, so the run is well."""
    assert session.run(Command.of("true"), stdin=bytes(30_000_000)).exit_code == 0


def test_failures_say_what_the_program_said(session: Session) -> None:
    """The exit code, its last words without escapes, and no secret of the command."""
    command = Command.of("sh", "-c", 'printf "\\033[31mno: $1\\n" >&2; exit 7', "sh", Secret("hush"))
    with pytest.raises(CommandFailedError) as caught:
        session.run(command)
    assert caught.value.exit_code == 7
    assert caught.value.stderr == "no: ***\n"
    assert "hush" not in str(caught.value)


def test_a_killed_program_is_told_from_a_lost_connection(session: Session) -> None:
    """A signal has no exit code; the machine is still there."""
    with pytest.raises(CommandFailedError, match="signal"):
        session.run(Command.of("sh", "-c", "kill -9 $$"))


def test_a_program_that_does_not_end_in_time_is_left(session: Session) -> None:
    """The limit holds, and the session goes on."""
    began = time.monotonic()
    with pytest.raises(CommandTimeoutError) as caught:
        session.run(Command.of("sleep", "60"), timeout_seconds=0.3)
    assert time.monotonic() - began < 10
    assert caught.value.exit_code == 124
    assert session.run(Command.of("echo", "on")).stdout == b"on\n"


def test_output_can_be_followed(session: Session) -> None:
    """`stream` hands bytes on as they come and returns the exit code."""
    pieces: list[bytes] = []
    assert session.stream(Command.of("sh", "-c", "echo a; exit 4"), pieces.append, timeout_seconds=20) == 4
    assert b"".join(pieces) == b"a\n"


def test_several_commands_share_a_session(session: Session) -> None:
    """Channels may be used from several threads."""
    answers: list[bytes] = []

    def ask(number: int) -> None:
        answers.append(session.run(Command.of("echo", str(number))).stdout)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [f"{number}\n".encode() for number in range(6)]


def test_the_workspace_is_where_the_machine_says(machine: SshMachine, session: Session) -> None:
    """A local machine has its own; it must be writable."""
    assert find_workspace(session) == str(machine.workspace)


def test_another_host_key_stops_everything(machine: SshMachine) -> None:
    """At once, whatever the deadline, with both fingerprints, and before we sign in."""
    pinned = generate_host_key().public_line
    began = time.monotonic()
    with pytest.raises(HostKeyChangedError) as caught:
        Session.connect(replace(machine.endpoint, host_keys=(pinned,)), deadline_seconds=60)
    assert time.monotonic() - began < 20
    for line in (pinned, machine.endpoint.host_keys[0]):
        assert fingerprint(public_key_bytes(line)) in caught.value.fact
    assert "llamalift down --discard RUN" in caught.value.hint


def test_a_machine_without_the_pinned_kind_of_key_stops_everything(tmp_path: Path) -> None:
    """A machine that suddenly has only an ECDSA key is a changed machine, not an unreachable one."""
    with ssh_machine(tmp_path / "m", host_key_type="ecdsa") as other:
        with pytest.raises(HostKeyChangedError, match="ecdsa-sha2-nistp256"):
            Session.connect(replace(other.endpoint, host_keys=(generate_host_key().public_line,)), deadline_seconds=60)
        with Session.connect(other.endpoint, deadline_seconds=20) as session:
            assert session.host_key == other.endpoint.host_keys[0]


def test_any_pinned_key_will_do(machine: SshMachine) -> None:
    """While a host key is replaced, both the old and the new one are pinned."""
    pins = (generate_host_key().public_line, *machine.endpoint.host_keys)
    with Session.connect(replace(machine.endpoint, host_keys=pins), deadline_seconds=20) as session:
        assert session.host_key == machine.endpoint.host_keys[0]


def test_no_pinned_key_is_no_trust(machine: SshMachine) -> None:
    """There is no trust on first use."""
    with pytest.raises(RemoteError, match="no host key"):
        Session.connect(replace(machine.endpoint, host_keys=()), deadline_seconds=1)


def test_a_refused_key_is_told_at_the_deadline(machine: SshMachine, tmp_path: Path) -> None:
    """A user that does not exist yet is waited for, and then told as what it is."""
    stranger = ensure_user_key(tmp_path)
    said: list[str] = []
    with pytest.raises(SignInRefusedError):
        Session.connect(
            replace(machine.endpoint, key_file=stranger.private_file), deadline_seconds=1.5, progress=said.append
        )
    assert any("refuses our key" in line for line in said)


def test_a_user_that_appears_late_is_waited_for(tmp_path: Path) -> None:
    """cloud-init's sshd answers before it knows our key: connecting goes on until it does."""
    with ssh_machine(tmp_path / "m") as machine:
        keys = machine.ssh_dir / "authorized_keys"
        allowed = keys.read_text()
        keys.write_text("")
        appears = threading.Event()

        def progress(_what: str) -> None:
            if not appears.is_set():
                keys.write_text(allowed)
                appears.set()

        with Session.connect(machine.endpoint, deadline_seconds=30, progress=progress) as session:
            assert appears.is_set()
            assert session.is_connected()


def test_how_far_the_machine_is_comes_with_every_command(machine: SshMachine) -> None:
    """The shortest answer so far; nothing is sent for it."""
    with (
        tcp_proxy(machine.endpoint.port, delay_seconds=0.05) as line,
        Session.connect(machine.at(line.port), deadline_seconds=20) as session,
    ):
        assert session.round_trip_seconds == math.inf
        session.run(Command.of("true"))
        first = session.round_trip_seconds
        assert 0.1 <= first < 10
        session.run(Command.of("true"))
        assert 0.1 <= session.round_trip_seconds <= first


def test_nobody_there_is_told_at_the_deadline() -> None:
    """A refused connection is tried again until the deadline, and says why."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match="refused"):
        _connect_nowhere(port)


def test_a_server_that_is_no_ssh_server_is_told() -> None:
    """Something listens and says nothing of SSH."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            while True:
                try:
                    line, _ = other.accept()
                except OSError:
                    return
                with line:
                    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(UnreachableError, match="SSH"):
            _connect_nowhere(port)
        other.shutdown(socket.SHUT_RDWR)


def _connect_nowhere(port: int) -> None:
    from pathlib import Path

    from remote.types import Endpoint

    endpoint = Endpoint("127.0.0.1", port, "nobody", Path("/nonexistent"), (generate_host_key().public_line,))
    Session.connect(endpoint, deadline_seconds=0.5)


def test_a_cut_connection_is_unreachable_not_failed(machine: SshMachine) -> None:
    """The command may have gone on: nobody may take it for failed."""
    with tcp_proxy(machine.endpoint.port) as line, Session.connect(machine.at(line.port), deadline_seconds=20) as lost:
        with lost.start(Command.of("cat")) as running:
            running.write(b"x")
            assert running.read() == b"x"
            line.cut()
            with pytest.raises(UnreachableError) as caught:
                running.wait()
        assert "resume" in caught.value.hint
        with pytest.raises(UnreachableError):
            lost.run(Command.of("true"))


def test_a_silent_line_is_noticed(machine: SshMachine) -> None:
    """A black hole neither answers nor resets: the session's own watch gives it up."""
    with (
        tcp_proxy(machine.endpoint.port) as line,
        Session.connect(machine.at(line.port), deadline_seconds=20, silence_seconds=1.0) as lost,
    ):
        line.silent = True
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            lost.run(Command.of("true"))
        assert time.monotonic() - began < 15


def test_a_quiet_command_is_not_taken_for_a_dead_line(machine: SshMachine) -> None:
    """A command that says nothing for longer than the watch's patience is fine while the machine answers pings."""
    with Session.connect(machine.endpoint, deadline_seconds=20, silence_seconds=0.8) as patient:
        assert patient.run(Command.of("sleep", "2.5")).exit_code == 0


def test_a_frozen_machine_is_noticed(tmp_path: Path) -> None:
    """Its kernel still acknowledges bytes, but nobody answers: given up all the same."""
    with (
        ssh_machine(tmp_path / "m") as frozen,
        Session.connect(frozen.endpoint, deadline_seconds=20, silence_seconds=1.0) as session,
    ):
        pids = _with_children(frozen.session_pids())
        _signal(pids, signal.SIGSTOP)
        with pytest.raises(UnreachableError):
            session.send(Command.of("cat"), iter(lambda: bytes(100_000), None))
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    # A helper that served the sign-in alone may just be ending.
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _with_children(pids: list[int]) -> list[int]:
    found = list(pids)
    for pid in found:
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False)
        found += [int(word) for word in listed.stdout.split()]
    return found


def test_the_systems_ssh_can_use_our_settings(machine: SshMachine, tmp_path: Path) -> None:
    """`llamalift ssh`: it connects with the pinned key, and refuses any other."""
    ssh = ["ssh", "-F"]
    config = write_ssh_config(machine.endpoint, tmp_path)
    done = subprocess.run([*ssh, str(config), "machine", "echo", "in"], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout) == (0, "in\n"), done.stderr
    config = write_ssh_config(replace(machine.endpoint, host_keys=(generate_host_key().public_line,)), tmp_path)
    done = subprocess.run([*ssh, str(config), "machine", "true"], capture_output=True, check=False, text=True)
    assert done.returncode == 255
