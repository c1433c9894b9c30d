"""What the agent does about failures: programs that fail in every way under the real agent, without a real training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.agent_run import AgentRun, is_running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What templates/training does, in a few lines.
_TOLD = """
import faulthandler, json, os, pathlib, signal, sys, time
faulthandler.register(signal.SIGUSR1)
records = pathlib.Path(os.environ['LLAMALIFT_ATTEMPT_DIR'])
attempt = int(os.environ['LLAMALIFT_ATTEMPT'])
halvings = int(os.environ['LLAMALIFT_HALVINGS'])
def write(name, **words):
    part = records / f'.{name}'
    part.write_text(json.dumps(words))
    part.rename(records / name)
def beat(phase, step, **words): write('heartbeat.json', phase=phase, step=step, **words)
def fail(kind, **words):
    write('rank-3.json', t=2.0, rank=3, kind=kind, text=kind, **words)
    write('rank-0.json', t=1.0, rank=0, kind='communication', text='lost rank 3')
    sys.exit(1)
"""
_HANG = {"least_seconds": 0.3, "start_seconds": 20.0, "times_median": 3.0, "grace_seconds": 0.5}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[AgentRun]:
    """A run folder with the agent in it."""
    agent = AgentRun.create(tmp_path)
    yield agent
    agent.close()


def test_words_in_the_log_end_nothing(run: AgentRun) -> None:
    """A run that prints every alarming line there is, and warns of itself, trains on to its end."""
    code = """
for line in ('Traceback (most recent call last):', 'torch.OutOfMemoryError: CUDA out of memory.', 'NCCL error',
             'Watchdog caught collective operation timeout', 'No space left on device', 'loss: nan', 'Killed'):
    print(line, flush=True)
with open('metrics.jsonl', 'a') as file:
    event = {'t': time.time(), 'event': 'problem', 'kind': 'loss_spike', 'text': 'the loss jumped', 'warning': True}
    file.write(json.dumps(event) + chr(10))
for step in range(5):
    beat('training', step, step_seconds=0.01)
    time.sleep(0.1)
while not os.path.exists('go'):
    time.sleep(0.02); beat('training', time.monotonic(), step_seconds=0.01)
mark()
"""
    run.submit(run.python_step(_TOLD + code, hang=_HANG))
    run.start()
    problem = wait_for(lambda: run.snapshot().get("problem"), "the warning")
    assert (problem["kind"], problem["message"]) == ("loss_spike", "the loss jumped")
    assert run.snapshot()["step"]["silent_seconds"] < 20
    (run.root / "go").touch()
    document = run.wait_for_phase("done", "failed")
    assert (document["phase"], document["finished_steps"][0]["attempts"]) == ("done", 1)


def test_a_warning_is_not_the_cause_of_a_later_end(run: AgentRun) -> None:
    """A save that did not fit, with which training went on; killed later, it is started again."""
    code = """
with open('metrics.jsonl', 'a') as file:
    event = {'t': time.time(), 'event': 'problem', 'kind': 'disk_full', 'text': 'no room', 'warning': True}
    file.write(json.dumps(event) + chr(10))
os.kill(os.getpid(), signal.SIGKILL) if attempt == 1 else mark()
"""
    run.submit(run.python_step(_TOLD + code, max_restarts=1))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert document["phase"] == "done"
    assert any("train failed (killed): ended by signal: SIGKILL" in note for note in document["notes"])


def test_a_full_gpu_is_answered_with_fewer_rows(run: AgentRun) -> None:
    """Halved until it fits, no restart used up, told; a job handed over again begins with what was learnt."""
    code = "open('tries', 'a').write(f'{halvings}\\n'); mark() if halvings == 2 else fail('gpu_out_of_memory')"
    step = run.python_step(_TOLD + code, max_restarts=0)
    run.submit(step)
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert document["phase"] == "done"
    assert run.lines("tries") == ["0", "1", "2"]
    assert any("gpu_out_of_memory (rank 3)" in note and "half the rows at once" in note for note in document["notes"])
    run.submit(step, number=2)
    wait_for(lambda: len(run.lines("tries")) == 4, "the second job")
    run.wait_for_phase("done")
    run.submit({**step, "argv": [*step["argv"], "another"]}, number=3)
    wait_for(lambda: len(run.lines("tries")) == 7, "the third job")
    assert run.lines("tries") == ["0", "1", "2", "2", "0", "1", "2"]


def test_a_gpu_that_one_row_fills_ends_it_with_a_hint(run: AgentRun) -> None:
    """There is nothing left to halve."""
    run.submit(run.python_step(_TOLD + "fail('gpu_out_of_memory', smaller_helps=halvings < 1)", max_restarts=9))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert document["problem"]["kind"] == "gpu_out_of_memory"
    assert "ZeRO" in document["problem"]["hint"]
    assert len(list(run.root.glob("attempts/*/exit.json"))) == 2


@pytest.mark.parametrize("kind", ["code", "bad_data", "disk_full", "nan"])
def test_what_no_restart_mends_is_not_restarted(run: AgentRun, kind: str) -> None:
    """Rank 3's own words decide, though rank 0 complained first."""
    run.submit(run.python_step(_TOLD + f"fail('{kind}')", max_restarts=9))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert document["problem"]["kind"] == kind
    assert document["problem"]["message"] == f"{kind} (rank 3)"
    assert len(list(run.root.glob("attempts/*/exit.json"))) == 1


def test_a_communication_error_at_the_same_step_ends_it(run: AgentRun) -> None:
    """Once more, but not for ever; at a later step it is another trouble."""
    run.submit(run.python_step(_TOLD + "beat('training', min(attempt, 3)); fail('communication')", max_restarts=9))
    run.start()
    assert run.wait_for_phase("done", "failed")["problem"]["kind"] == "communication"
    assert len(list(run.root.glob("attempts/*/exit.json"))) == 4


def test_a_hung_step_says_where_it_stands_and_is_started_again(run: AgentRun) -> None:
    """Silent for longer than its steps allow: stacks in the log, the whole family ended, the next attempt succeeds."""
    code = """
def stuck_in_a_collective():
    time.sleep(600)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
beat('training', 5, step_seconds=0.01)
mark() if attempt == 2 else stuck_in_a_collective()
"""
    run.submit(run.python_step(_TOLD + code, hang=_HANG, max_restarts=1))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert document["phase"] == "done"
    assert "stuck_in_a_collective" in run.log()
    assert any("ending train: no sign of life for" in note for note in document["notes"])
    assert any("train failed (hang)" in note and "after step 5" in note for note in document["notes"])


def test_a_step_that_hangs_twice_at_the_same_place_is_given_up(run: AgentRun) -> None:
    """A hang is no reason to burn a GPU until the restarts are used up."""
    code = "beat('training', 5, step_seconds=0.01); time.sleep(600)"
    run.submit(run.python_step(_TOLD + code, hang=_HANG, max_restarts=9))
    run.start()
    assert run.wait_for_phase("done", "failed")["problem"]["kind"] == "hang"
    assert len(list(run.root.glob("attempts/*/claim.json"))) == 2


def test_a_stop_while_a_hung_step_is_ended_is_heeded(run: AgentRun) -> None:
    """It ends, and is not started again."""
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); beat('training', 5, step_seconds=0.01); time.sleep(600)"
    run.submit(run.python_step(_TOLD + code, hang={**_HANG, "grace_seconds": 3.0}, max_restarts=9))
    run.start()
    wait_for(lambda: any("ending train" in note for note in run.snapshot().get("notes", [])), "the hang to be seen")
    pid = run.snapshot()["step"]["pid"]
    run.verb("stop", "--run-dir", str(run.root))
    assert run.wait_for_phase("stopped", "failed", "done")["phase"] == "stopped"
    assert not is_running(pid)
    assert json.loads((run.root / "state.json").read_text())["attempt"] == 1


def test_a_slow_step_that_ends_well_after_all_was_not_hung(run: AgentRun) -> None:
    """Taken for hung, it finishes in its grace: the next step begins as ever."""
    code = """
signal.signal(signal.SIGTERM, lambda *_: (mark(), sys.exit(0)))
beat('training', 5, step_seconds=0.01)
time.sleep(600)
"""
    hang = {**_HANG, "grace_seconds": 60.0}
    run.submit(run.python_step(_TOLD + code, hang=hang), run.python_step("mark()", name="verify"))
    run.start()
    document = run.wait_for_phase("done", "failed", "stopped")
    assert document["phase"] == "done"
    assert [step["attempts"] for step in document["finished_steps"]] == [1, 1]


def test_what_a_machine_ends_when_it_goes_down_costs_no_restart(run: AgentRun) -> None:
    """Its SIGTERM lets the trainer save and leave; after the start of the machine the step goes on, uncounted."""
    code = """
while not os.path.exists('down'):
    time.sleep(0.02)
sys.exit(75) if attempt == 1 else mark()
"""
    run.submit(run.python_step(_TOLD + code, max_restarts=0))
    run.environment["LLAMALIFT_BOOT_ID"] = "before"
    daemon = run.start()
    wait_for(lambda: list(run.root.glob("attempts/*/claim.json")), "the first attempt")
    daemon.kill()
    daemon.wait()
    (run.root / "down").touch()
    wait_for(lambda: list(run.root.glob("attempts/*/exit.json")), "its end")
    run.environment["LLAMALIFT_BOOT_ID"] = "after"
    run.start()
    assert run.wait_for_phase("done", "failed")["finished_steps"][0]["attempts"] == 2
