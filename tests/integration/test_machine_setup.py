from __future__ import annotations

import json
import os
import signal
import stat
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remote.agent import put_secrets, read_status, stop_job, submit_job
from remote.collect import collect
from remote.command import Command
from remote.errors import GpuCheckError, HostKeyChangedError, RemoteError, SetupError, TransferError
from remote.layout import RunLayout
from remote.machine import (
    check_gpus,
    install_environment,
    rotate_host_key,
    wait_for_workspace,
    wait_until_booted,
)
from remote.session import Session
from remote.transfer import send_bytes
from templates.zipapps import agent_zipapp
from tests.fakes.agent_run import wait_for
from tests.fakes.ssh_machine import SshMachine, ssh_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN_ID = "demo-abc234"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SshMachine]:
    """A machine of its own for each test: host keys and daemons are changed."""
    with ssh_machine(tmp_path / "m") as running:
        yield running


@pytest.fixture
def session(machine: SshMachine) -> Iterator[Session]:
    """A connection to it."""
    with Session.connect(machine.endpoint, deadline_seconds=20) as connected:
        yield connected


@pytest.fixture
def layout(machine: SshMachine) -> RunLayout:
    """Where the run's files are on it."""
    return RunLayout(str(machine.workspace), RUN_ID)


@pytest.fixture
def booted(machine: SshMachine, session: Session, layout: RunLayout) -> Iterator[None]:
    """The machine after its first boot: the real agent serves."""
    planted = machine.folder / "opt"
    send_bytes(session, agent_zipapp(), str(planted / "agent.pyz"))
    settings = {
        "schema": 1, "run_id": RUN_ID, "username": machine.endpoint.username, "workspace": str(machine.workspace),
        "data_disk_lun": 0, "deadline_at": 4e9, "dollars_per_hour": 0.0, "dollars_cap": 1.0, "idle_seconds": 3600,
        "lost_client_seconds": 3600, "discard_after_seconds": 86_400, "machine_started_at": None, "created_at": 1e9,
    }  # fmt: skip
    send_bytes(session, json.dumps(settings).encode(), str(planted / "run.json"))
    config = str(planted / "run.json")
    session.run(Command.of("python3", str(planted / "agent.pyz"), "boot", "--config", config))
    wait_until_booted(session, layout, deadline_seconds=30)
    pid = read_status(session, layout).agent.pid
    yield
    if pid is not None:
        os.kill(pid, signal.SIGTERM)


def _job(layout: RunLayout, script: str, secrets_file: str | None = None) -> dict[str, object]:
    step = {
        "name": "train", "argv": [sys.executable, "-c", script], "env": {}, "cwd": layout.run_folder,
        "marker": "markers/train.json", "max_restarts": 0,
    }  # fmt: skip
    return {"schema": 1, "steps": [step], "secrets_file": secrets_file}


@pytest.mark.usefixtures("booted")
def test_a_job_is_handed_over_watched_and_read(session: Session, layout: RunLayout) -> None:
    """Submitted once, it runs; its log comes back in pieces from the byte where the last one ended."""
    script = (
        "import pathlib, os; print('x' * 5000, flush=True);"
        "pathlib.Path('markers').mkdir(exist_ok=True); pathlib.Path('markers/train.json').write_text('{}')"
    )
    submit_job(session, layout, _job(layout, script))
    assert wait_for(lambda: read_status(session, layout).phase == "done", "the job's end")
    first = read_status(session, layout, log_from=0, log_limit=1000)
    assert (first.log.start, first.log.end) == (0, 1000)
    rest = read_status(session, layout, log_from=1000)
    assert first.log.data + rest.log.data == b"x" * 5000 + b"\n"
    assert rest.finished_steps[0].name == "train"
    assert rest.disk.total_bytes > 0


@pytest.mark.usefixtures("booted")
def test_secrets_reach_the_job_and_nothing_else(session: Session, layout: RunLayout) -> None:
    """They lie in a private file in memory, the job has them in its environment, and the run's folder never does."""
    path = put_secrets(session, layout, {"WANDB_API_KEY": "hush-hush"})
    assert path == put_secrets(session, layout, {"WANDB_API_KEY": "hush-hush"})
    try:
        kept = session.run(Command.of("python3", "-c", _MODES, path)).stdout.split()
        assert kept == [b"0o600", b"0o700"]
        script = (
            "import os, pathlib; pathlib.Path('markers').mkdir(exist_ok=True);"
            "pathlib.Path('markers/train.json').write_text(str(len(os.environ['WANDB_API_KEY'])))"
        )
        submit_job(session, layout, _job(layout, script, path))
        assert wait_for(lambda: read_status(session, layout).phase == "done", "the job's end")
        found = session.run(Command.of("grep", "-r", "hush-hush", layout.run_folder), check=False)
        assert found.exit_code == 1
        assert session.run(Command.of("cat", layout.path("markers", "train.json"))).stdout == b"9"
    finally:
        session.run(Command.of("rm", "-r", path.rpartition("/")[0]))


_MODES = """
import os, stat, sys
for path in (sys.argv[1], os.path.dirname(sys.argv[1])):
    print(oct(stat.S_IMODE(os.stat(path).st_mode)))
"""


@pytest.mark.usefixtures("booted")
def test_a_job_can_be_stopped(session: Session, layout: RunLayout) -> None:
    """The agent ends it and says so."""
    submit_job(session, layout, _job(layout, "import time; time.sleep(600)"))
    assert wait_for(lambda: read_status(session, layout).step is not None, "the job's start")
    stop_job(session, layout)
    assert wait_for(lambda: read_status(session, layout).phase == "stopped", "the job's end")


@pytest.mark.usefixtures("booted")
def test_the_machine_gets_a_host_key_of_its_own(machine: SshMachine, session: Session) -> None:
    """The new key is pinned before it is used; afterwards the old one is worth nothing."""
    pending: list[str] = []

    def pin(line: str) -> None:
        # Still the old key: whoever connects now, before the pin is durable, must be able to.
        with Session.connect(machine.endpoint, deadline_seconds=20) as other:
            assert other.host_key == machine.endpoint.host_keys[0]
        pending.append(line)

    rotate_host_key(session, pin)
    renewed = replace(machine.endpoint, host_keys=(pending[0],))
    assert wait_for(lambda: _shows(renewed), "sshd's new key")
    with pytest.raises(HostKeyChangedError):
        Session.connect(machine.endpoint, deadline_seconds=10)
    assert session.run(Command.of("echo", "still here")).stdout == b"still here\n"


def _shows(endpoint: object) -> bool:
    from remote.types import Endpoint

    assert isinstance(endpoint, Endpoint)
    try:
        Session.connect(endpoint, deadline_seconds=5).close()
    except RemoteError:
        return False
    return True


def test_a_machine_without_an_agent_is_told(session: Session, layout: RunLayout) -> None:
    """Neither waiting for it nor rotating its key goes on for ever; the message says where to look."""
    said: list[str] = []
    with pytest.raises(SetupError, match="boot log") as caught:
        wait_until_booted(session, layout, deadline_seconds=3, progress=said.append)
    assert said
    assert "cloud-init" in caught.value.hint
    with pytest.raises(SetupError, match=r"agent\.pyz"):
        rotate_host_key(session, said.append, deadline_seconds=0.5)


def test_the_workspace_is_waited_for_where_the_run_file_wants_it(tmp_path: Path) -> None:
    """SSH answers minutes before the first boot has mounted the disk; `storage.mount` is obeyed."""
    mount = tmp_path / "data"
    said: list[str] = []

    def say(what: str) -> None:
        said.append(what)
        mount.mkdir(exist_ok=True)

    with (
        ssh_machine(tmp_path / "m", environment={"LLAMALIFT_WORKSPACE": ""}) as machine,
        Session.connect(machine.endpoint, deadline_seconds=20) as session,
    ):
        found = wait_for_workspace(session, str(mount), deadline_seconds=30, progress=say)
    assert found == str(mount)
    assert said == ["waiting for the workspace disk on the machine"]


def test_a_first_boot_that_ended_without_a_workspace_is_not_waited_for(tmp_path: Path) -> None:
    """A GPU machine that cannot mount its disk costs dollars by the minute: told at once, with the boot log."""
    over = tmp_path / "boot-finished"
    over.touch()
    with (
        ssh_machine(tmp_path / "m", environment={"LLAMALIFT_WORKSPACE": ""}) as machine,
        Session.connect(machine.endpoint, deadline_seconds=20) as session,
        pytest.raises(SetupError, match=r"no writable workspace folder.*boot log ends"),
    ):
        wait_for_workspace(session, str(tmp_path / "none"), deadline_seconds=600, boot_is_over=str(over))


def _wheel(folder: Path) -> None:
    """A package as small as they get."""
    folder.mkdir()
    info = "llamalift_tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / "llamalift_tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("llamalift_tiny.py", "ANSWER = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llamalift-tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def lock(tmp_path: Path) -> bytes:
    """A lock that needs no network."""
    _wheel(tmp_path / "wheels")
    return f"--no-index\n--find-links {tmp_path / 'wheels'}\nllamalift-tiny==1.0\n".encode()


def test_an_environment_is_made_once(session: Session, layout: RunLayout, lock: bytes) -> None:
    """It can import what the lock names; the second call finds it; an unfinished one is wiped and made anew."""
    said: list[str] = []
    python = install_environment(session, layout, lock, gpu=False, progress=said.append)
    assert session.run(Command.of(python, "-c", "import llamalift_tiny as t; print(t.ANSWER)")).stdout == b"42\n"
    assert said[-1] == "the environment is complete"
    assert install_environment(session, layout, lock, gpu=False, progress=said.append) == python
    assert said[-1] == "the environment is there already"
    session.run(Command.of("rm", f"{layout.environment(lock)}/.complete"))
    session.run(Command.of("touch", f"{layout.environment(lock)}/rubbish"))
    install_environment(session, layout, lock, gpu=False, progress=said.append)
    assert "wiping an unfinished environment" in said
    gone = session.run(Command.of("test", "-e", f"{layout.environment(lock)}/rubbish"), check=False)
    assert gone.exit_code == 1


def test_two_machines_that_share_a_folder_take_turns(machine: SshMachine, layout: RunLayout, lock: bytes) -> None:
    """Both get the environment; one of them made it."""

    def install(said: list[str]) -> str:
        with Session.connect(machine.endpoint, deadline_seconds=20) as own:
            return install_environment(own, layout, lock, gpu=False, progress=said.append)

    words: list[list[str]] = [[], []]
    with ThreadPoolExecutor() as pool:
        pythons = list(pool.map(install, words))
    assert pythons[0] == pythons[1]
    assert sorted(said[-1] for said in words) == ["the environment is complete", "the environment is there already"]


def test_an_environment_that_cannot_be_made_says_why(session: Session, layout: RunLayout) -> None:
    """Pip's own last words, and where the rest is."""
    with pytest.raises(SetupError, match="no-such-thing") as caught:
        install_environment(session, layout, b"--no-index\nno-such-thing==1.0\n", gpu=False)
    assert caught.value.hint.endswith(".log")


def test_a_machine_without_gpus_is_not_fit(session: Session, layout: RunLayout) -> None:
    """No driver, no training."""
    if session.run(Command.of("nvidia-smi"), check=False).exit_code == 0:
        pytest.skip("this computer has NVIDIA's driver")
    with pytest.raises(GpuCheckError, match="driver"):
        check_gpus(session, "python3", layout, 4)


def _model(folder: Path) -> None:
    folder.mkdir(parents=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    (folder / "config.json").write_text("{}")


@pytest.mark.usefixtures("booted")
def test_a_model_comes_home(session: Session, layout: RunLayout, tmp_path: Path) -> None:
    """Its files and its manifest, verified; again costs nothing; it is the machine's own manifest to the byte."""
    from pathlib import Path

    final, home = Path(layout.final), tmp_path / "home"
    _model(final)
    session.run(Command.of("python3", layout.agent_zipapp, "manifest", str(final), "--write"))
    collected = collect(session, layout, layout.final, home)
    assert collect(session, layout, layout.final, home) == collected
    assert collected.files == 2
    assert {path.name for path in home.iterdir()} == {"model.safetensors", "config.json", "MANIFEST.json"}
    assert (home / "MANIFEST.json").read_bytes() == (final / "MANIFEST.json").read_bytes()
    status = wait_for(lambda: read_status(session, layout).final, "the agent's look at the model")
    assert status.manifest_sha256 == collected.manifest_sha256
    assert stat.S_IMODE((home / "model.safetensors").stat().st_mode) == 0o644


@pytest.mark.usefixtures("booted")
def test_a_model_that_is_not_whole_stays_away(session: Session, layout: RunLayout, tmp_path: Path) -> None:
    """No manifest, a damaged one, a changed file, a broken header, strangers in the target: refused, unmarked."""
    from pathlib import Path

    final, home = Path(layout.final), tmp_path / "home"
    _model(final)
    manifest = ["python3", layout.agent_zipapp, "manifest", str(final), "--write"]
    with pytest.raises(TransferError, match="no complete model"):
        collect(session, layout, layout.final, home)
    session.run(Command.of(*manifest))
    good = (final / "MANIFEST.json").read_bytes()
    (final / "MANIFEST.json").write_bytes(good.replace(b'"size": 2', b'"size": 3'))
    with pytest.raises(TransferError, match="believed"):
        collect(session, layout, layout.final, home)
    (final / "MANIFEST.json").write_bytes(good)
    (final / "config.json").write_text("[]")
    with pytest.raises(TransferError, match="manifest says"):
        collect(session, layout, layout.final, home)
    (final / "model.safetensors").write_bytes(bytes(20))
    session.run(Command.of(*manifest))
    with pytest.raises(TransferError, match="not whole"):
        collect(session, layout, layout.final, home)
    assert not (home / "MANIFEST.json").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pytorch_model.bin").touch()
    with pytest.raises(TransferError, match=r"pytorch_model\.bin"):
        collect(session, layout, layout.final, tmp_path / "other")
