"""The machine for the system's own programs, and who may knock at it: against a rehearsal machine."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli.app import app
from provisioning.azure.admission import admitted
from provisioning.azure.naming import API_VERSIONS, Names
from provisioning.types import ResourceKind
from remote.command import Command
from remote.keys import generate_host_key
from remote.layout import RunLayout
from remote.machine import rotate_host_key, wait_for_workspace, wait_until_booted
from runs import Run
from runs.callers import allow, follow
from runs.driver import driving
from runs.errors import RunError, SpecError
from runs.facts import Decided, Prepared, Rented, Trust
from runs.spec.recipes import write_recipe
from runs.ssh_access import alias_of, ssh_access
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from runs.types import Silent
from tests.fakes.tcp_proxy import tcp_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runs.context import RunContext
    from tests.fakes.tcp_proxy import TcpProxy

ELSEWHERE = "203.0.113.9/32"
HOME = "127.0.0.1/32"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with a machine whose agent answers, under its own host key; its end takes every key and setting away."""
    folder = tmp_path_factory.mktemp("ssh-access")
    made = Run.create(write_recipe("tiny-cpu", folder / "work"), state=StateFolder(folder / "the state"))
    with made.context() as context, driving(context):
        Provision().act(context)
        session = context.session()
        rotate_host_key(session, lambda key: context.journal.put(made.run_id, pinned(context, key)))
        layout = RunLayout(wait_for_workspace(session), context.run_id)
        wait_until_booted(session, layout)
        context.journal.put(made.run_id, Prepared(layout.workspace, "/the/python"))
    yield made
    ssh_access(made)
    made.down(discard=True)
    assert {file.name for file in made.folder.iterdir()} == {"receipt.json"}
    with pytest.raises(RunError, match="no machine"):
        ssh_access(Run.open(made.run_id, state=made.state))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the user's."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def pinned(context: RunContext, key: str) -> Trust:
    """The run's host keys with the machine's own among them."""
    return replace(context.require(Trust), own=key)


def told(*argv: str | Path, stdin: str = "", expect: int = 0) -> str:
    """What a program prints; its exit code must be the expected one."""
    done = subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == expect, f"{argv} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def free_port() -> int:
    """A port of this computer that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_program_of_openssh_reaches_the_machine(run: Run, tmp_path: Path) -> None:
    """`ssh`, `scp`, `sftp` and `rsync` with nothing but the file; checking is strict and no question is asked."""
    access = ssh_access(run)
    assert stat.S_IMODE(access.file.stat().st_mode) == 0o600
    there = ["-F", str(access.file), access.host]
    assert told("ssh", *there, "echo hello from $USER") == "hello from llama\n"
    sent, home = tmp_path / "sent", tmp_path / "back"
    sent.write_text("weights")
    told("scp", "-q", "-F", access.file, sent, f"{access.host}:copied")
    told("sftp", "-q", "-F", access.file, "-b", "-", access.host, stdin=f"get copied {tmp_path / 'got'}\n")
    told("rsync", "-a", "-e", f"ssh -F '{access.file}'", f"{access.host}:copied", home)
    assert (tmp_path / "got").read_text() == home.read_text() == "weights"


def test_an_editors_connection_works(run: Run) -> None:
    """VS Code Remote's own way in: a shell on standard input beside a port of this computer that is forwarded."""
    access = ssh_access(run)
    argv = ["ssh", "-F", str(access.file), "-T", "-D", str(free_port()), "-o", "ConnectTimeout=15", access.host, "bash"]
    assert told(*argv, stdin="echo ready; exit\n") == "ready\n"


def test_the_systems_programs_refuse_another_host_key(run: Run, tmp_path: Path) -> None:
    """A machine that shows another key than the pinned one: `ssh`, `scp` and `rsync` stop before anything is sent."""
    config = tmp_path / "config"
    known = tmp_path / "known_hosts"
    known.write_text(f"{alias_of(run.run_id)} {generate_host_key().public_line}\n")
    access = ssh_access(run)
    config.write_text(access.file.read_text().replace(str(access.file.with_name("known_hosts")), str(known)))
    told("ssh", "-F", config, access.host, "true", expect=255)
    told("scp", "-F", config, config, f"{access.host}:never", expect=255)
    # rsync ends with ssh's own code or with its "error in the protocol", whichever it notices first.
    refused = subprocess.run(
        ["rsync", "-e", f"ssh -F {config}", config, f"{access.host}:never"], capture_output=True, check=False
    )
    assert refused.returncode in {12, 255}
    assert b"Host key verification failed" in refused.stderr
    assert "never" not in told("ssh", "-F", access.file, access.host, "ls")


def test_installed_it_goes_by_name_until_the_last_run_ends(run: Run, home: Path) -> None:
    """One line at the top of the user's own file, whose mode and content stay; it goes with the last run."""
    from runs.ssh_access import forget

    config = home / ".ssh" / "config"
    config.parent.mkdir()
    config.write_text("Host *\n  ForwardAgent yes\n  StrictHostKeyChecking no\n")
    config.chmod(0o640)
    before = config.read_text()
    for _ in range(2):
        access = ssh_access(run, install=True)
    assert access.installed_in == config
    assert config.read_text().endswith(before)
    assert config.read_text().count("Include ") == 1
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert told("ssh", "-F", config, access.host, "echo in") == "in\n"
    settings = told("ssh", "-F", config, "-G", access.host)
    assert "forwardagent no" in settings
    assert "stricthostkeychecking true" in settings
    other = run.state.root / "ssh" / "other-run.conf"
    other.symlink_to("/nowhere")
    (run.state.root / "ssh" / f"{run.run_id}.conf").rename(run.state.root / "ssh" / "kept.conf")
    forget(run.state, "other-run")
    assert config.read_text() != before
    (run.state.root / "ssh" / "kept.conf").rename(run.state.root / "ssh" / "other-run.conf")
    forget(run.state, "other-run")
    assert config.read_text() == before


def test_a_home_without_ssh_gets_a_private_file(run: Run, home: Path) -> None:
    """`~/.ssh` is made as OpenSSH wants it."""
    answer = json.loads(cli(run, "ssh-config", run.run_id, "--install", "--json"))
    assert answer["installed_in"] == str(home / ".ssh" / "config")
    assert stat.S_IMODE((home / ".ssh" / "config").stat().st_mode) == 0o600
    (run.state.root / "ssh" / f"{run.run_id}.conf").unlink()


def cli(run: Run, *words: str) -> str:
    """A command of ours."""
    done = CliRunner().invoke(app, list(words), env={"LLAMALIFT_STATE_DIR": str(run.state.root)})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_file_that_was_asked_for_follows_the_machine(run: Run) -> None:
    """A machine that comes back under another port is found by the same file after the next connection."""
    access = ssh_access(run)
    access.file.write_text(access.file.read_text().replace("Port ", "Port 1"))
    with run.context() as context:
        context.session(deadline_seconds=20)
        assert f"Port {context.require(Rented).ssh_port}\n" in access.file.read_text()


def rule(context: RunContext) -> str:
    """Whom the cloud lets in."""
    cloud, kind = context.cloud, ResourceKind.NETWORK_SECURITY_GROUP
    names = Names(cloud.account().subscription_id, context.run_id)
    by_id = cloud._open().resources.resources  # type: ignore[attr-defined]
    return admitted(by_id.get_by_id(names.id_of(kind, names.security_group), api_version=API_VERSIONS[kind]))


def test_the_rule_moves_as_asked(run: Run) -> None:
    """`allow-me --from`: exactly that network, in the cloud and in the journal; a second time nothing is left to do."""
    with run.context() as context:
        wide = allow(context, "203.0.113.0/24", print)
        assert (rule(context), wide.addresses, wide.has_changed) == ("203.0.113.0/24", 256, True)
        narrow = allow(context, "203.0.113.9", print)
        assert (rule(context), narrow.before) == (ELSEWHERE, "203.0.113.0/24")
        assert not allow(context, "203.0.113.9", print).has_changed
    assert "is open to 127.0.0.1/32, no more to 203.0.113.9/32" in cli(run, "allow-me", run.run_id)
    texts = [event.text for event in run.journal.events(run.run_id)]
    assert texts.index(f"opening port 22 to {ELSEWHERE} (was: 203.0.113.0/24)") < texts.index(
        f"port 22 is open to {ELSEWHERE}"
    )


@pytest.mark.parametrize("wanted", ["0.0.0.0/0", "2001:db8::7", "my-laptop", "203.0.113.9/33"])
def test_who_could_never_come_in_or_anybody_could_is_refused(run: Run, wanted: str) -> None:
    """Too wide a network, an IPv6 address (the machine has none), no address at all: nothing is changed."""
    with run.context() as context:
        before = rule(context)
        with pytest.raises(SpecError):
            allow(context, wanted, print)
        assert rule(context) == before


class Opening(Silent):
    """A reporter that opens a firewall when the user is told of it."""

    def __init__(self, line: TcpProxy) -> None:
        self.line = line

    def note(self, text: str) -> None:
        """Port 22 was opened."""
        assert HOME in text
        self.line.cut_after_bytes = None


def test_a_silent_machine_is_opened_to_a_new_address(run: Run) -> None:
    """A laptop in another network: no connection, its new address is found out and admitted, and it comes in."""
    rented = run.journal.get(run.run_id, Rented)
    assert rented is not None
    with tcp_proxy(rented.ssh_port, rented.address) as line, run.context(Opening(line)) as context:
        line.cut_after_bytes = 0
        allow(context, ELSEWHERE, print)
        run.journal.put(run.run_id, replace(rented, address="127.0.0.1", ssh_port=line.port))
        assert context.session(deadline_seconds=1).run(Command.of("echo", "in")).stdout == b"in\n"
        assert rule(context) == context.require(Decided).caller_address == HOME
        assert not follow(context)
    run.journal.put(run.run_id, rented)
