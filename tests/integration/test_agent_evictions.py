"""What the agent does with the platform's notice: save if it fits, write it down, and only then let the machine go."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent import manifest
from tests.fakes.agent_run import AgentRun, wait_for
from tests.fakes.azure_inside import AzureInside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a trainer does, as far as the agent can see: reports steps, and saves when it is asked to leave.
_TRAINING = """
import json, os, signal, sys, time
def tell(**event):
    open('metrics.jsonl', 'a').write(json.dumps({'t': time.time(), **event}) + chr(10))
def leave(*_):
    print('saved'); sys.exit(75)
first = os.environ['LLAMALIFT_ATTEMPT'] == '1'
signal.signal(signal.SIGTERM, leave)
for step in (11, 12) if first else (11, 12, 13):
    tell(event='step', step=step, total_steps=13, loss=1.0)
print('ready')
if first:
    time.sleep(600)
mark()
"""


@pytest.fixture
def azure() -> Iterator[AzureInside]:
    """Azure as a machine sees it."""
    with AzureInside() as server:
        yield server


@pytest.fixture
def run(tmp_path: Path, azure: AzureInside) -> Iterator[AgentRun]:
    """A run whose first attempt trains until it is asked to leave, from the checkpoint of step 10."""
    made = AgentRun.create(tmp_path, {**azure.environment, "LLAMALIFT_BOOT_ID": "first"})
    folder = made.root / "checkpoints" / "checkpoint-10"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"weights")
    manifest.write_manifest(folder, manifest.build_manifest(folder, step=10))
    yield made
    made.close()


def _train(run: AgentRun, *, step_seconds: float, save_seconds: float, planned_seconds: float = 0.0) -> None:
    times = {"step_seconds": step_seconds, "save_seconds": save_seconds}
    (run.root / "checkpoints" / "save-times.json").write_text(json.dumps(times))
    run.submit(run.python_step(_TRAINING, max_restarts=3), save_seconds=planned_seconds)
    run.start()
    wait_for(lambda: "ready" in run.log(), "the step to begin")


def _start_elsewhere(run: AgentRun, azure: AzureInside) -> None:
    """The machine goes down, and comes up again as another start."""
    azure.events.clear()
    run.close()
    run.environment["LLAMALIFT_BOOT_ID"] = "second"
    run.start()


def _records(run: AgentRun) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.snapshot().get("departures", [])
    return found


def test_training_saves_and_only_then_may_the_machine_go(run: AgentRun, azure: AzureInside) -> None:
    """A save that fits: the trainer is asked, leaves, and the acknowledgement comes after that, on the record."""
    _train(run, step_seconds=1.0, save_seconds=2.0)
    azure.evict("event-1", notice_seconds=30)
    wait_for(lambda: azure.acknowledged == ["event-1"], "the acknowledgement")
    assert run.log() == "ready\nsaved\n"
    document = run.wait_for_phase("stopped")
    departure = document["departure"]
    assert (departure["what"], departure["kind"], departure["step"]) == ("save", "Preempt", 12)
    assert departure["acknowledged_at"] is not None
    assert any("eviction event-1: saving a checkpoint first" in note for note in document["notes"])
    assert azure.deallocated == []


def test_a_save_that_cannot_fit_is_declined(run: AgentRun, azure: AzureInside) -> None:
    """Eight minutes of saving into half a minute: training is left alone, the numbers are kept, the machine may go."""
    _train(run, step_seconds=39.0, save_seconds=472.0)
    azure.evict("event-1", notice_seconds=30)
    wait_for(lambda: azure.acknowledged == ["event-1"], "the acknowledgement")
    assert run.log() == "ready\n"
    departure = run.snapshot()["departure"]
    assert (departure["what"], departure["step"], departure["saved_step"]) == ("decline", 12, 10)
    assert "a save 472 s; the notice is" in departure["reason"]
    assert run.snapshot()["phase"] == "running"

    _start_elsewhere(run, azure)
    run.wait_for_phase("done")
    (record,) = _records(run)
    assert (record["what"], record["lost_steps"], record["saved_step"]) == ("decline", 2, 10)
    wait_for(lambda: _records(run)[0]["resumed_at"] is not None, "the record of the end of it")


def test_a_planned_save_counts_until_one_was_measured(run: AgentRun, azure: AzureInside) -> None:
    """Before the first save only the plan says how long it takes; it is believed."""
    _train(run, step_seconds=0.0, save_seconds=0.0, planned_seconds=472.0)
    azure.evict("event-1")
    wait_for(lambda: azure.acknowledged == ["event-1"], "the acknowledgement")
    assert run.snapshot()["departure"]["what"] == "decline"


def test_a_drain_that_can_end_in_time_is_waited_for(run: AgentRun, azure: AzureInside) -> None:
    """On scratch, a checkpoint counts once it is durable: the machine stays until its last byte has arrived."""
    drain = {"step": 12, "bytes": 1000e6, "done_bytes": 990e6, "bytes_per_second": 10e6, "updated_at": time.time()}
    (run.root / "drain.json").write_text(json.dumps(drain))
    _train(run, step_seconds=1.0, save_seconds=2.0)
    azure.evict("event-1", notice_seconds=30)
    departure = wait_for(lambda: run.snapshot().get("departure"), "the decision")
    assert departure["what"] == "drain"
    assert azure.acknowledged == []
    (run.root / "drain.json").write_text(json.dumps({**drain, "done_bytes": 1000e6}))
    wait_for(lambda: azure.acknowledged == ["event-1"], "the acknowledgement")


def test_after_an_eviction_the_job_goes_on_at_the_next_start(run: AgentRun, azure: AzureInside) -> None:
    """A machine that comes back with the same disk takes the job up again by itself, and knows what was lost."""
    _train(run, step_seconds=1.0, save_seconds=2.0)
    azure.evict("event-1", notice_seconds=30)
    wait_for(lambda: azure.acknowledged, "the acknowledgement")
    run.wait_for_phase("stopped")
    _start_elsewhere(run, azure)
    assert run.wait_for_phase("done")["finished_steps"][0]["attempts"] == 2
    (record,) = _records(run)
    assert (record["id"], record["what"]) == ("event-1", "save")


def test_a_machine_taken_without_a_word_is_on_the_record(run: AgentRun, azure: AzureInside) -> None:
    """No notice was seen: the next start says so, and how many steps are trained again."""
    _train(run, step_seconds=1.0, save_seconds=2.0)
    _start_elsewhere(run, azure)
    run.wait_for_phase("done")
    (record,) = _records(run)
    assert (record["kind"], record["step"], record["lost_steps"]) == ("unannounced", 12, 2)


@pytest.mark.parametrize("kind", ["Reboot", "Redeploy", "Terminate"])
def test_other_ends_are_heeded_alike(run: AgentRun, azure: AzureInside, kind: str) -> None:
    """Whatever ends what runs here is saved for, and acknowledged."""
    _train(run, step_seconds=1.0, save_seconds=2.0)
    azure.evict("event-1", kind=kind, notice_seconds=600)
    wait_for(lambda: azure.acknowledged == ["event-1"], "the acknowledgement")
    assert run.log() == "ready\nsaved\n"


def test_a_freeze_is_only_noted(run: AgentRun, azure: AzureInside) -> None:
    """The machine stands still for seconds and goes on: nothing is stopped, nothing acknowledged."""
    _train(run, step_seconds=1.0, save_seconds=2.0)
    azure.evict("event-1", kind="Freeze", notice_seconds=600)
    wait_for(lambda: any("freezes this machine" in note for note in run.snapshot()["notes"]), "the note")
    state = json.loads((run.root / "state.json").read_text())
    assert (state["phase"], state["departure"]) == ("running", None)
    assert state["frozen_until"] > time.time() + 600
    assert azure.acknowledged == []


def test_an_eviction_that_is_called_off_lets_the_job_go_on(run: AgentRun, azure: AzureInside) -> None:
    """The event is gone before it was acknowledged: the same start of the machine takes the job up again."""
    code = _TRAINING.replace("print('saved')", "print('saved'); time.sleep(3)")
    (run.root / "checkpoints" / "save-times.json").write_text('{"step_seconds": 1, "save_seconds": 2}')
    run.submit(run.python_step(code))
    run.start()
    wait_for(lambda: "ready" in run.log(), "the step to begin")
    azure.evict("event-1", notice_seconds=30)
    wait_for(lambda: "saved" in run.log(), "the save")
    azure.events.clear()
    assert run.wait_for_phase("done")["finished_steps"][0]["attempts"] == 2
    assert azure.acknowledged == []
    assert _records(run)[0]["kind"] == "Preempt (it was called off)"


def test_secrets_that_went_with_the_machine_are_waited_for(run: AgentRun, azure: AzureInside, tmp_path: Path) -> None:
    """They were in memory: the job goes on once the client has brought them again, and does not fail meanwhile."""
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"WANDB_API_KEY": "hush-hush-42"}))
    run.submit(run.python_step(_TRAINING, max_restarts=3), secrets_file=str(secrets))
    run.start()
    wait_for(lambda: "ready" in run.log(), "the step to begin")
    secrets.unlink()
    _start_elsewhere(run, azure)
    wait_for(lambda: any("bring the secrets again" in note for note in run.snapshot()["notes"]), "the note")
    assert run.snapshot()["phase"] == "running"
    secrets.write_text(json.dumps({"WANDB_API_KEY": "hush-hush-42"}))
    run.wait_for_phase("done")
