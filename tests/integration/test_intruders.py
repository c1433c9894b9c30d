"""Whoever is not who he should be, and whatever a machine sends that is not what it should be: all of it refused.

One row for each attack: what is done, what refuses it, and what must not have happened. `docs/concepts/trust.md` has
the same table in words; a test holds the two together.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.status_screen import print_status
from provisioning.rehearsal.machines import boot, stop
from remote.agent import parse_status, put_secrets
from remote.collect import collect
from remote.command import Command
from remote.errors import (
    CommandFailedError,
    HostKeyChangedError,
    RemoteError,
    SignInRefusedError,
    TransferError,
    UnreachableError,
)
from remote.keys import ensure_user_key, generate_host_key
from remote.layout import RunLayout
from remote.session import Session
from remote.ssh_config import write_ssh_config
from remote.text import LogLines
from remote.transfer import send_tree
from runs.errors import SpecError
from runs.spec.load import load_run_file
from runs.status import RunStatus
from runs.types import RunRow, RunState
from templates.agent.manifest import NAME, ManifestError, _sealed, build_manifest
from tests.conftest import ROOT
from tests.fakes.agent_answer import agent_answer
from tests.fakes.local_machine_kit import MachineKit, make_kit
from tests.fakes.ssh_machine import SshMachine, ssh_machine
from tests.fakes.tcp_proxy import TcpProxy, tcp_proxy

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

RUN_ID = "intruded-abcdef"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"


@dataclass(frozen=True)
class Scene:
    """Where an attack happens.

    Attributes:
        machine: A machine with an OpenSSH server, ours.
        impostor: Another one, the intruder's.
        folder: This computer.
    """

    machine: SshMachine
    impostor: SshMachine
    folder: Path

    @property
    def layout(self) -> RunLayout:
        """Where a run's files are on the machine."""
        return RunLayout(str(self.machine.workspace), RUN_ID)

    @property
    def home(self) -> Path:
        """Where a model is to come."""
        return self.folder / "home"

    def final(self) -> Path:
        """The finished model on the machine, empty so far."""
        folder = Path(self.layout.final)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def bring_home(self) -> None:
        """Collect the model, as a run does."""
        with Session.connect(self.machine.endpoint, deadline_seconds=20) as session:
            collect(session, self.layout, self.layout.final, self.home)


Attack = Callable[[Scene], object]
ATTACKS: dict[str, tuple[type[Exception], Attack]] = {}


def refused_with(error: type[Exception]) -> Callable[[Attack], Attack]:
    """A row of the table: the attack's name is its function's, and `error` what refuses it."""

    def enter(attack: Attack) -> Attack:
        ATTACKS[attack.__name__.replace("_", " ")] = (error, attack)
        return attack

    return enter


# The way to the machine.


@refused_with(HostKeyChangedError)
def another_host_key(scene: Scene) -> None:
    """A machine that took the address over."""
    Session.connect(replace(scene.machine.endpoint, host_keys=(generate_host_key().public_line,)), deadline_seconds=60)


@refused_with(HostKeyChangedError)
def a_man_in_the_middle(scene: Scene) -> None:
    """Whoever redirects the line to a server of his own learns nothing: not even as whom we would have signed in."""
    log = scene.impostor.folder / "sshd.log"
    before = len(log.read_text())
    with tcp_proxy(scene.impostor.endpoint.port) as line:
        try:
            Session.connect(scene.machine.at(line.port), deadline_seconds=60)
        finally:
            assert not re.search(r"publickey|password|userauth|invalid user", log.read_text()[before:])


class Meddler(TcpProxy):
    """A line on which somebody turns a bit after so many bytes."""

    meddle_at = 100_000

    def _pump(self, source: socket.socket, sink: socket.socket, _client: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.carried_bytes += len(data)
                meddle = self.carried_bytes > self.meddle_at
                sink.sendall(bytes([data[0] ^ 1]) + data[1:] if meddle else data)
        except OSError:
            self.cut()


@refused_with(UnreachableError)
def altered_bytes_on_the_way(scene: Scene) -> None:
    """One bit in a connection that is signed in."""
    line = Meddler(scene.machine.endpoint.port)
    try:
        with Session.connect(scene.machine.at(line.port), deadline_seconds=20, silence_seconds=2) as session:
            session.run(Command.of("head", "-c", "1000000", "/dev/zero"))
    finally:
        line.close()


@refused_with(RemoteError)
def no_host_key_known(scene: Scene) -> None:
    """There is no trust on first use."""
    Session.connect(replace(scene.machine.endpoint, host_keys=()), deadline_seconds=1)


# Keys.


@refused_with(SignInRefusedError)
def another_users_key(scene: Scene) -> None:
    """A key that no cloud-init installed."""
    stranger = ensure_user_key(scene.folder / "stranger").private_file
    Session.connect(replace(scene.machine.endpoint, key_file=stranger), deadline_seconds=0)


def exposed(scene: Scene) -> Path:
    """The run's key, in a file that others can read."""
    copy = scene.folder / "id_ed25519"
    copy.write_bytes(scene.machine.endpoint.key_file.read_bytes())
    copy.chmod(0o644)
    return copy


@refused_with(RemoteError)
def a_world_readable_key_file(scene: Scene) -> None:
    """Nothing is signed in with it."""
    Session.connect(replace(scene.machine.endpoint, key_file=exposed(scene)), deadline_seconds=0)


@refused_with(RemoteError)
def a_world_readable_key_file_for_ssh(scene: Scene) -> None:
    """Nor is it named to OpenSSH."""
    write_ssh_config(replace(scene.machine.endpoint, key_file=exposed(scene)), scene.folder / "run")


@refused_with(RemoteError)
def a_world_readable_key_file_for_a_new_machine(scene: Scene) -> None:
    """Nor is its public half given to a machine, and its mode is not silently put right."""
    try:
        ensure_user_key(exposed(scene).parent)
    finally:
        assert (scene.folder / "id_ed25519").stat().st_mode & 0o777 == 0o644


# What a machine says of its files.


def lying(scene: Scene, files: object, **more: object) -> None:
    """The machine has a model with a manifest whose seal is right and whose words are not."""
    final = scene.final()
    (final / "config.json").write_text("{}")
    (final / NAME).write_bytes(_sealed({"schema": 1, "files": files, **more}))
    scene.bring_home()


def entry(size: int = 2, sha256: str = "0" * 64) -> dict[str, object]:
    """What a manifest says of a file."""
    return {"size": size, "sha256": sha256}


@refused_with(TransferError)
def a_manifest_with_another_sha256(scene: Scene) -> None:
    """The bytes are not those that it names."""
    lying(scene, {"config.json": entry()})


@refused_with(TransferError)
def a_manifest_with_another_size(scene: Scene) -> None:
    """Larger than the file is."""
    lying(scene, {"config.json": entry(3)})


@refused_with(TransferError)
def a_manifest_with_files_that_are_not_there(scene: Scene) -> None:
    """A model that it does not have."""
    lying(scene, {"model.safetensors": entry()})


@refused_with(TransferError)
def a_manifest_of_a_file_larger_than_any_disk(scene: Scene) -> None:
    """An exabyte, told before the first byte."""
    lying(scene, {"config.json": entry(2**60)})


@refused_with(TransferError)
def a_manifest_that_is_damaged(scene: Scene) -> None:
    """Its seal is not its own."""
    final = scene.final()
    (final / NAME).write_bytes(_sealed({"schema": 1, "files": {}}).replace(b'"schema": 1', b'"schema":  1'))
    scene.bring_home()


@refused_with(TransferError)
def a_manifest_nested_too_deeply(scene: Scene) -> None:
    """No parser falls over it."""
    (scene.final() / NAME).write_text("[" * 200_000)
    scene.bring_home()


OUTSIDE = {
    "up": "../evil",
    "from the root": "/tmp/intruded-evil",
    "up from inside": "a/../../evil",
    "by an empty name": "a//evil",
    "by a dot": "./evil",
    "into our staging": ".llamalift-part/evil",
    "with a NUL": "evil\0.json",
    "with half a character": "evil\ud800",
    "by a name and a folder of that name": "config.json/evil",
}


def leading_outside(path: str) -> Attack:
    """A manifest with a path that is not in its folder."""

    def attack(scene: Scene) -> None:
        try:
            lying(scene, {"config.json": entry(), path: entry()})
        finally:
            assert not Path("/tmp/intruded-evil").exists()
            assert not list(scene.folder.rglob("*evil*"))

    return attack


for way, path in OUTSIDE.items():
    ATTACKS[f"a path in a manifest that leads outside {way}"] = (TransferError, leading_outside(path))


# A machine whose programs are the intruder's.


def possessed(scene: Scene, program: str) -> None:
    """Collect from a machine whose `python3` is another program; whatever it sends, nothing of it is believed."""
    final = scene.final()
    (final / "config.json").write_text("{}")
    (final / NAME).write_bytes(_sealed(build_manifest(final)))
    shell = scene.folder / "shell"
    shell.write_text(
        f'#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in *python3*) {program};; *) eval "$SSH_ORIGINAL_COMMAND";; esac\n'
    )
    shell.chmod(0o755)
    with ssh_machine(scene.folder / "possessed") as machine:
        keys = machine.ssh_dir / "authorized_keys"
        keys.write_text(f'command="{shell}" {keys.read_text()}')
        layout = RunLayout(str(scene.machine.workspace), RUN_ID)
        with Session.connect(machine.endpoint, deadline_seconds=20) as session:
            collect(session, layout, layout.final, scene.home)


@refused_with(RemoteError)
def other_bytes_than_were_asked_for(scene: Scene) -> None:
    """As many as asked for, and then as many as it likes."""
    possessed(scene, "head -c 5000000 /dev/urandom")


@refused_with(RemoteError)
def an_answer_without_end(scene: Scene) -> None:
    """This computer's memory is not filled with it."""
    with Session.connect(scene.machine.endpoint, deadline_seconds=20) as session:
        session.run(Command.of("yes"), timeout_seconds=None)


@refused_with(RemoteError)
def an_archive_that_ends_too_soon(scene: Scene) -> None:
    """Nothing gets its name before it is whole."""
    possessed(scene, "printf '{'")


# Links.


@refused_with(ManifestError)
def a_link_in_the_model_on_the_machine(scene: Scene) -> None:
    """The workspace is the job's: a link to a file of the machine's would bring that home as the model."""
    final = scene.final()
    (final / "model.safetensors").symlink_to("/etc/passwd")
    build_manifest(final)


@refused_with(TransferError)
def a_link_in_what_is_sent(scene: Scene) -> None:
    """A folder of data from somewhere must not send what nobody meant to send."""
    data = scene.folder / "data"
    data.mkdir()
    (data / "rows.json").symlink_to(scene.machine.endpoint.key_file)
    with Session.connect(scene.machine.endpoint, deadline_seconds=20) as session:
        send_tree(session, data, f"{scene.layout.run_folder}/inputs")


@refused_with(TransferError)
def a_link_where_the_model_comes_home(scene: Scene) -> None:
    """It leads the model elsewhere."""
    final = scene.final()
    (final / "sub").mkdir()
    (final / "sub" / "config.json").write_text("{}")
    (final / NAME).write_bytes(_sealed(build_manifest(final)))
    elsewhere = scene.folder / "elsewhere"
    elsewhere.mkdir()
    scene.home.mkdir()
    (scene.home / "sub").symlink_to(elsewhere)
    try:
        scene.bring_home()
    finally:
        assert not list(elsewhere.iterdir())


@refused_with(CommandFailedError)
def a_link_in_the_place_of_the_secrets(scene: Scene) -> None:
    """Planted in the machine's memory by another user of it before the run came."""
    elsewhere = scene.folder / "elsewhere"
    elsewhere.mkdir()
    planted = Path("/dev/shm", f"llamalift-{RUN_ID}")
    planted.symlink_to(elsewhere)
    try:
        with Session.connect(scene.machine.endpoint, deadline_seconds=20) as session:
            put_secrets(session, scene.layout, {"HF_TOKEN": "hf_planted"})
    finally:
        planted.unlink()
        assert not list(elsewhere.iterdir())


# Run files from somebody else.

RUN_FILE = "name: x\nmodel: {from: hf://a/b}\ndata: {from: hf://datasets/a/b/c.json}\n"
BOMBS = {
    "of aliases that multiply": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "that contains itself": "name: &a [*a]\n",
    "nested too deeply": "name: " + "[" * 5000 + "]" * 5000,
    "nested in mappings": "".join(f"{' ' * depth}a:\n" for depth in range(900)),
    "longer than any run file": RUN_FILE + "#" * 2_000_000,
    "with more nodes than any run file": RUN_FILE + "tags: [" + "1," * 400_000 + "]",
    "that runs Python": RUN_FILE + "tags: !!python/object/apply:os.system ['touch /tmp/intruded-evil']\n",
    "with a number of a million digits": RUN_FILE + "limits: {hours: " + "9" * 900_000 + "}\n",
    "with terminal escapes for a key": RUN_FILE + '"\\e]0;owned\\a\\e[2J": 1\n',
}


def bomb(text: str) -> Attack:
    """A run file that must be told within seconds for what it is."""

    def attack(scene: Scene) -> None:
        file = scene.folder / "run.yaml"
        file.write_text(text)
        began = time.monotonic()
        try:
            load_run_file(file)
        finally:
            assert time.monotonic() - began < 30
            assert not Path("/tmp/intruded-evil").exists()

    return attack


for kind, text in BOMBS.items():
    ATTACKS[f"a run file {kind}"] = (SpecError, bomb(text))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SshMachine, SshMachine]]:
    """Our machine and the intruder's, both with OpenSSH."""
    folder = tmp_path_factory.mktemp("intruders")
    with ssh_machine(folder / "machine") as machine, ssh_machine(folder / "impostor") as impostor:
        yield machine, impostor


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attack_is_refused(attack: str, servers: tuple[SshMachine, SshMachine], tmp_path: Path) -> None:
    """With the error of its kind, and without what it was for: no model is at home."""
    error, act = ATTACKS[attack]
    scene = Scene(*servers, tmp_path)
    with pytest.raises(error):
        act(scene)
    assert not (scene.home / NAME).exists()
    assert threading.active_count() < 50


# What is not refused but made harmless.


def test_hostile_names_and_words_of_a_machine_are_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A `status.json` full of escapes: nothing of it reaches the terminal as such."""
    answer = agent_answer()
    answer["checkpoints"]["newest_complete"]["path"] = f"/w/{ESCAPES}"
    answer["problem"] = {"kind": f"x{ESCAPES}", "message": f"m{ESCAPES}", "hint": f"h{ESCAPES}"}
    answer["notes"], answer["step"]["name"] = [f"n{ESCAPES}"], f"s{ESCAPES}"
    answer["gpus"][0]["name"], answer["progress"]["phase"] = f"g{ESCAPES}", f"p{ESCAPES}"
    row = RunRow(RUN_ID, "x", "azure", time.time(), "run.yaml", "", "", RunState.ACTIVE)
    status = RunStatus(row, (), None, None, None, parse_status(json.dumps(answer).encode()), "")
    print_status(status)
    shown = capsys.readouterr().out
    assert shown
    assert not set(shown) & set("\x1b\x07\x9b\u202e")


def test_a_hostile_log_is_plain_text() -> None:
    """`llamalift logs` shows what can be read; `tests/unit/test_log_text.py` has more of it."""
    (shown,) = LogLines().feed(f"loss 1.0 {ESCAPES}\n".encode())
    assert not set(shown) & set("\x1b\x07\x9b\u202e")


def test_no_password_opens_a_machine(tmp_path: Path) -> None:
    """A machine of ours as cloud-init makes it: no method but a key is even offered, to nobody."""
    kit: MachineKit = make_kit(tmp_path, agent=b"")
    machine = boot(kit.spec)
    try:
        methods = ("-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive")
        done = subprocess.run(kit.argv("true", options=methods), capture_output=True, check=False, timeout=60)
        assert done.returncode == 255
        assert b"Permission denied (publickey)" in done.stderr
    finally:
        stop(machine)


def test_the_documentation_has_every_attack() -> None:
    """The table in `docs/concepts/trust.md` and this one name the same."""
    page = (ROOT / "docs" / "concepts" / "trust.md").read_text()
    rows = {row.strip() for row in re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE)}
    grouped = {re.sub(r"(that leads outside|^a run file) .*", r"\1", attack) for attack in ATTACKS}
    assert grouped - rows == set()
