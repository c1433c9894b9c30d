from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from templates.agent import manifest
from templates.agent.processes import somebody_is_signed_in
from tests.fakes.agent_run import AgentRun, is_running, wait_for
from tests.fakes.azure_inside import GROUP_ID, VM_ID, AzureInside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# A busy computer takes its time until the agent is up and the step has set its handlers.
_TIME_TO_START = 10.0
_TRAINING = """
import signal, sys, time
def leave(*_):
    print('saved'); sys.exit(75)
signal.signal(signal.SIGTERM, leave)
print('ready')
time.sleep(600)
"""


@pytest.fixture
def azure() -> Iterator[AzureInside]:
    """Azure as a machine sees it."""
    with AzureInside() as server:
        yield server


@pytest.fixture
def make(tmp_path: Path, azure: AzureInside) -> Iterator[Callable[..., AgentRun]]:
    """Makes a run with short limits inside Azure."""
    made: list[AgentRun] = []

    def create(**limits: float) -> AgentRun:
        made.append(AgentRun.create(tmp_path, azure.environment, **limits))
        return made[-1]

    yield create
    for run in made:
        run.close()


def _fired(run: AgentRun) -> str:
    return str(wait_for(lambda: (run.snapshot().get("limits") or {}).get("fired"), "a limit to fire"))


def test_at_the_deadline_training_saves_and_the_machine_deallocates_itself(
    make: Callable[..., AgentRun], azure: AzureInside
) -> None:
    """The deadline: SIGTERM, the step's own leave, then the machine's identity ends its compute."""
    run = make(deadline_at=time.time() + _TIME_TO_START)
    run.submit(run.python_step(_TRAINING, max_restarts=3))
    run.start()
    assert _fired(run) == "deadline"
    wait_for(lambda: azure.deallocated == [VM_ID], "the machine to deallocate itself")
    assert run.snapshot()["phase"] == "stopped"
    assert run.log() == "ready\nsaved\n"


def test_the_dollar_cap_counts_from_the_start_of_the_machine(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """An hour at 36 dollars is over a cap of 35, whenever the agent itself was started."""
    run = make(dollars_cap=35.0, machine_started_at=time.time() - 3600)
    run.submit(run.python_step(_TRAINING))
    run.start()
    assert _fired(run) == "dollars"
    assert run.snapshot()["limits"]["dollars_so_far"] >= 36.0
    wait_for(lambda: azure.deallocated, "the machine to deallocate itself")


def test_a_machine_that_nobody_uses_ends_itself(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """No step and no client for idle_seconds."""
    run = make(idle_seconds=1.0)
    run.start()
    assert _fired(run) == "idle"
    wait_for(lambda: azure.deallocated, "the machine to deallocate itself")


def test_a_running_step_is_never_idle_nor_has_it_lost_its_client(make: Callable[..., AgentRun]) -> None:
    """Training goes on without a client for longer than both limits, and only its end starts their time."""
    # Far apart, so that the agent sees the shorter one first on a busy computer, too.
    run = make(idle_seconds=2.0, lost_client_seconds=0.2)
    run.submit(run.python_step("import time; time.sleep(3); mark()"))
    run.start()
    assert _fired(run) == "lost_client"
    assert [step["name"] for step in run.snapshot()["finished_steps"]] == ["train"]


def test_a_client_that_keeps_asking_is_not_lost(make: Callable[..., AgentRun]) -> None:
    """Each status call counts as the client."""
    run = make(idle_seconds=2.0)
    run.start()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert run.status()["limits"]["fired"] is None
    assert _fired(run) == "idle"


def test_an_open_connection_counts_as_the_client(make: Callable[..., AgentRun], tmp_path: Path) -> None:
    """A long upload asks no status: its own process on the rented machine says that somebody is there."""
    if somebody_is_signed_in():
        pytest.skip("somebody is signed in to this very computer over SSH, and would count as well")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("shutdown", "sudo"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    run = make(idle_seconds=8.0)
    run.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    # sshd's own environment never says that it is a connection, its children's does.
    clean = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    server = "import os, subprocess; subprocess.run(['sleep', '600'], env={**os.environ, 'SSH_CONNECTION': '1 2 3 4'})"
    upload = subprocess.Popen([sys.executable, "-c", server], env=clean, start_new_session=True)
    try:
        run.start("--owns-machine")
        started = time.monotonic()
        wait_for(lambda: time.monotonic() - started > 11, "more than the idle time")
        assert run.snapshot()["limits"]["fired"] is None
    finally:
        os.killpg(upload.pid, signal.SIGKILL)
        upload.wait()
    assert _fired(run) == "idle"


def test_the_client_may_raise_a_limit_and_not_lower_it(make: Callable[..., AgentRun]) -> None:
    """control/extend moves the deadline out while the job runs."""
    deadline = time.time() + 2
    run = make(deadline_at=deadline)
    (run.root / "control").mkdir()
    (run.root / "control" / "extend").write_text(json.dumps({"deadline_at": deadline + 600, "dollars_cap": 1}))
    run.start()
    wait_for(lambda: time.time() > deadline + 0.5, "the first deadline to pass")
    run.wait_for_phase("waiting")
    shown = run.status()["limits"]
    assert (shown["deadline_at"], shown["dollars_cap"], shown["fired"]) == (deadline + 600, 1000.0, None)


def test_an_outage_of_azure_is_tried_again(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """429 and 5xx pass: the machine asks until it is heard."""
    azure.deallocate_answers = [503, 429]
    run = make(idle_seconds=0.2)
    run.start()
    wait_for(lambda: azure.deallocated, "the third request")
    assert len([line for line in azure.seen if "deallocate?" in line]) == 3


def test_without_the_right_to_deallocate_a_local_machine_only_says_so(
    make: Callable[..., AgentRun], azure: AzureInside, tmp_path: Path
) -> None:
    """A refusal is not repeated, and a computer that is not rented is never powered off."""
    azure.deallocate_answers = [403]
    trap = tmp_path / "bin"
    trap.mkdir()
    for name in ("shutdown", "sudo"):
        (trap / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/powered-off\n")
        (trap / name).chmod(0o755)
    run = make(idle_seconds=0.2)
    run.environment["PATH"] = f"{trap}:{os.environ['PATH']}"
    run.start()
    wait_for(lambda: "no machine to end here" in str(run.snapshot().get("notes")), "the words")
    assert azure.deallocated == []
    assert not (tmp_path / "powered-off").exists()


def test_a_rented_machine_without_the_right_powers_off(
    make: Callable[..., AgentRun], azure: AzureInside, tmp_path: Path
) -> None:
    """The last resort on a machine of our own is its power switch."""
    azure.deallocate_answers = [403]
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "shutdown").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/powered-off\n')
    (programs / "sudo").write_text('#!/bin/sh\nshift; exec "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    run = make(deadline_at=time.time() + 1)
    run.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    run.start("--owns-machine")
    wait_for((tmp_path / "powered-off").exists, "the power switch")
    wait_for(lambda: (tmp_path / "powered-off").read_text() == "-h now\n", "its arguments")


def test_a_wish_to_go_on_brings_a_local_run_back(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """After a limit has fired, raising it lets the next job run."""
    azure.deallocate_answers = [403]
    run = make(idle_seconds=0.2)
    run.start()
    assert _fired(run) == "idle"
    (run.root / "control" / "extend").write_text(json.dumps({"idle_seconds": 600}))
    run.submit(run.python_step("mark()"))
    assert run.wait_for_phase("done")["limits"]["fired"] is None


def test_a_limit_during_training_leaves_no_process(make: Callable[..., AgentRun]) -> None:
    """A step that ignores SIGTERM is gone when compute ends."""
    run = make(deadline_at=time.time() + _TIME_TO_START)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)"
    run.submit(run.python_step(code, grace_seconds=0.3))
    run.start()
    leader = wait_for(lambda: (run.snapshot().get("step") or {}).get("pid"), "the step")
    assert _fired(run) == "deadline"
    assert not is_running(leader)


def _finish_a_model(run: AgentRun) -> str:
    """Put a finished model into the run; gives its manifest's SHA-256."""
    final = run.root / "final"
    final.mkdir()
    (final / "model.safetensors").write_bytes(b"weights")
    manifest.write_manifest(final, manifest.build_manifest(final))
    return hashlib.sha256((final / manifest.NAME).read_bytes()).hexdigest()


def _tell_collected(run: AgentRun, manifest_sha256: str) -> None:
    _tell(run, "collected", manifest_sha256)


def _tell(run: AgentRun, word: str, manifest_sha256: str) -> None:
    (run.root / "control").mkdir(exist_ok=True)
    (run.root / "control" / word).write_text(json.dumps({"manifest_sha256": manifest_sha256}))


def test_once_the_model_is_home_a_limit_takes_everything(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """Nothing on the disk is the only copy any more: the machine deletes its own group, and costs nothing at all."""
    run = make(idle_seconds=0.5)
    _tell_collected(run, _finish_a_model(run))
    run.start()
    assert _fired(run) == "idle"
    wait_for(lambda: azure.deleted == [GROUP_ID], "the group to be deleted")
    assert azure.deallocated == []


@pytest.mark.parametrize("there", [["collected"], ["delivered"], ["collected", "delivered"]])
def test_two_destinations_must_both_have_it(
    make: Callable[..., AgentRun], azure: AzureInside, there: list[str]
) -> None:
    """Home and blob storage are promised: with one of them alone the disk stays, with both everything goes."""
    run = make(idle_seconds=0.5)
    run.submit(run.python_step("mark()"), promised=["collected", "delivered"])
    sha256 = _finish_a_model(run)
    for word in there:
        _tell(run, word, sha256)
    run.start()
    if len(there) == 2:
        wait_for(lambda: azure.deleted == [GROUP_ID], "the group to be deleted")
    else:
        wait_for(lambda: azure.deallocated, "the machine to deallocate itself")
        assert azure.deleted == []


def test_a_model_that_is_not_home_keeps_its_disk(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """Another model than the one that was collected is the only copy: compute ends, the disk stays."""
    run = make(idle_seconds=0.5)
    _finish_a_model(run)
    _tell_collected(run, "0" * 64)
    run.start()
    wait_for(lambda: azure.deallocated, "the machine to deallocate itself")
    assert azure.deleted == []


def test_a_group_that_is_not_the_runs_is_left_alone(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """Without our tag nothing is deleted; the machine still ends its own compute."""
    azure.group_tags = {"llamalift-run": "another-aaaaaa"}
    run = make(idle_seconds=0.5)
    _tell_collected(run, _finish_a_model(run))
    run.start()
    wait_for(lambda: azure.deallocated, "the machine to deallocate itself")
    assert azure.deleted == []


def test_an_uncollected_model_is_discarded_after_its_days(make: Callable[..., AgentRun], azure: AzureInside) -> None:
    """`discard_after` counts from the job's end or the last sign of the client, whichever is later."""
    run = make(lost_client_seconds=1.0, discard_after_seconds=0.5)
    run.submit(run.python_step("mark()"))
    run.start()
    assert _fired(run) == "lost_client"
    wait_for(lambda: azure.deleted == [GROUP_ID], "the group to be deleted")


def test_the_dollar_cap_is_announced(make: Callable[..., AgentRun]) -> None:
    """Above half of the cap the user is told once, with both figures."""
    run = make(dollars_cap=60.0, machine_started_at=time.time() - 3600)
    run.start()
    notes = wait_for(lambda: run.snapshot().get("notes"), "a note")
    assert len(notes) == 1
    assert re.search(r"50 % of the dollar cap is spent: \$36\.\d\d of \$60\.00", notes[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_does_not_keep_the_machine_alive(azure: AzureInside, tmp_path: Path) -> None:
    """With no byte left to write its state, the agent still stops the step and ends compute at the deadline."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], check=True)
    run = AgentRun.create(tmp_path, azure.environment, deadline_at=time.time() + 4)
    try:
        run.submit(run.python_step(_TRAINING))
        run.start()
        leader = wait_for(lambda: (run.snapshot().get("step") or {}).get("pid"), "the step")
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "ballast").write_bytes(bytes(2 << 20))
        wait_for(lambda: azure.deallocated, "the machine to deallocate itself")
        assert not is_running(leader)
    finally:
        run.close()
        subprocess.run(["umount", str(tmp_path)], check=True)
