from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.agent_run import AgentRun, is_running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


_WAIT_FOR_OOM_SCORE_0 = """
import pathlib, time
until = time.monotonic() + 20
while (score := pathlib.Path('/proc/self/oom_score_adj').read_text().strip()) != '0' and time.monotonic() < until:
    time.sleep(0.05)
print(score)
mark()
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[AgentRun]:
    """A run folder with the agent in it."""
    agent = AgentRun.create(tmp_path)
    yield agent
    agent.close()


def test_it_waits_for_a_job_and_runs_its_steps_in_order(run: AgentRun) -> None:
    """job.json starts the job; a step begins when the one before it has succeeded."""
    run.start()
    assert run.wait_for_phase("waiting")["step"] is None
    run.submit(run.python_step("print('one'); mark()"), run.python_step("print('two'); mark()", name="verify"))
    document = run.wait_for_phase("done", "failed")
    assert document["phase"] == "done"
    assert [(step["name"], step["attempts"]) for step in document["finished_steps"]] == [("train", 1), ("verify", 1)]
    assert run.log() == "one\ntwo\n"


@pytest.mark.skipif(not os.access("/proc/self/oom_score_adj", os.W_OK), reason="this system has no OOM scores")
def test_out_of_memory_takes_the_step_and_not_the_agent(run: AgentRun) -> None:
    """Systemd protects the agent from the kernel's OOM killer; a step must not inherit that."""
    daemon = run.start()
    run.wait_for_phase("waiting")
    try:
        (Path("/proc") / str(daemon.pid) / "oom_score_adj").write_text("-500")
    except PermissionError:
        pytest.skip("only the system's administrator may protect a process")
    run.submit(run.python_step(_WAIT_FOR_OOM_SCORE_0))
    assert run.wait_for_phase("done", "failed")["phase"] == "done"
    assert run.log().split() == ["0"]


def test_exit_zero_without_the_marker_is_a_failure(run: AgentRun) -> None:
    """A launcher that reports success for a killed training does not fool it."""
    run.submit(run.python_step("print('done, I say')"))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert (document["phase"], document["problem"]["kind"]) == ("failed", "no_marker")


def test_a_marker_of_an_earlier_attempt_does_not_count(run: AgentRun) -> None:
    """The marker is removed before each attempt; only the attempt that exits 0 after writing it succeeds."""
    run.submit(run.python_step("import os; mark() if os.environ['LLAMALIFT_ATTEMPT'] == '1' else 0; print(3/0)"))
    (run.root / "markers").mkdir()
    (run.root / "markers/train.json").write_text("{}")
    run.start()
    assert run.wait_for_phase("done", "failed")["phase"] == "failed"


def test_restarts_are_bounded_and_explained(run: AgentRun) -> None:
    """A crash is tried again max_restarts times; the problem is the last traceback's own line."""
    run.submit(run.python_step("import os; print('try', os.environ['LLAMALIFT_ATTEMPT']); [][1]", max_restarts=2))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert [line for line in run.log().splitlines() if line.startswith("try")] == ["try 1", "try 2", "try 3"]
    assert document["problem"]["kind"] == "crash"
    assert document["problem"]["message"] == "IndexError: list index out of range"
    assert document["problem"]["hint"]


def test_a_later_attempt_can_succeed(run: AgentRun) -> None:
    """After a crash the step is started again and told which attempt it is."""
    run.submit(run.python_step("import os; os.environ['LLAMALIFT_ATTEMPT'] == '3' or 1/0; mark()", max_restarts=5))
    run.start()
    document = run.wait_for_phase("done", "failed")
    assert document["phase"] == "done"
    assert document["finished_steps"][0]["attempts"] == 3
    assert document["problem"] is None


def test_what_the_trainer_reports_wins_over_the_log(run: AgentRun) -> None:
    """A problem line in metrics.jsonl names the kind; it ends nothing by itself."""
    code = """
import json, time
with open('metrics.jsonl', 'a') as file:
    file.write(json.dumps({'t': time.time(), 'event': 'problem', 'kind': 'out_of_memory', 'text': 'GPU 0 is full'}))
    file.write(chr(10))
raise SystemExit(1)
"""
    run.submit(run.python_step(code))
    run.start()
    problem = run.wait_for_phase("done", "failed")["problem"]
    assert (problem["kind"], problem["message"]) == ("out_of_memory", "GPU 0 is full")


def test_a_program_that_cannot_be_started_is_said_so(run: AgentRun) -> None:
    """No such program: a failure with its name, not a silent wait."""
    run.submit({**run.python_step(""), "argv": ["/nowhere/python"]})
    run.start()
    problem = run.wait_for_phase("done", "failed")["problem"]
    assert problem["kind"] == "not_started"
    assert "/nowhere/python" in problem["message"]


def test_a_file_that_is_no_job_is_refused_and_a_job_after_it_taken(run: AgentRun) -> None:
    """A broken job.json fails with words; the next one runs."""
    run.start()
    (run.root / "job" / "job.json").write_text('{"steps": [{"name": "train"}]}')
    assert "job.json" in run.wait_for_phase("failed")["problem"]["message"]
    run.submit(run.python_step("mark()"))
    assert run.wait_for_phase("done")["problem"] is None


def test_secrets_reach_the_step_and_no_record(run: AgentRun, tmp_path: Path) -> None:
    """The secrets file is added to the step's environment and to nothing that is kept."""
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"WANDB_API_KEY": "hush-hush-42"}))
    code = "import os; print(len(os.environ['WANDB_API_KEY'])); mark()"
    run.submit(run.python_step(code), secrets_file=str(secrets))
    run.start()
    run.wait_for_phase("done")
    assert run.log() == "12\n"
    kept = [path for path in run.root.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"hush-hush-42" in path.read_bytes()]


def test_lost_secrets_fail_the_job_with_words(run: AgentRun, tmp_path: Path) -> None:
    """A secrets file that a restart of the machine has taken away is named."""
    run.submit(run.python_step("mark()"), secrets_file=str(tmp_path / "gone.json"))
    run.start()
    problem = run.wait_for_phase("done", "failed")["problem"]
    assert problem["kind"] == "not_started"
    assert "gone.json" in problem["message"]


def test_stop_lets_the_step_leave_by_itself(run: AgentRun) -> None:
    """`stop` is SIGTERM to the step's own program, which may save before it leaves."""
    code = """
import signal, sys, time
def leave(*_):
    print('saved'); sys.exit(75)
signal.signal(signal.SIGTERM, leave)
print('ready')
while True: time.sleep(1)
"""
    run.submit(run.python_step(code, max_restarts=3))
    run.start()
    wait_for(lambda: "ready" in run.log(), "the step to begin")
    assert run.verb("stop", "--run-dir", str(run.root)).returncode == 0
    document = run.wait_for_phase("stopped", "done", "failed")
    assert document["phase"] == "stopped"
    assert run.log() == "ready\nsaved\n"


def test_stop_ends_a_step_that_does_not_listen(run: AgentRun) -> None:
    """When the grace is over, nothing of the step is left, grandchildren in sessions of their own included."""
    code = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
open('pids', 'w').write(str(child.pid))
print('ready')
time.sleep(600)
"""
    run.submit(run.python_step(code, grace_seconds=0.3))
    run.start()
    wait_for(lambda: "ready" in run.log(), "the step to begin")
    leader = run.snapshot()["step"]["pid"]
    run.verb("stop", "--run-dir", str(run.root))
    run.wait_for_phase("stopped")
    assert not is_running(leader)
    assert not is_running(int(run.lines("pids")[0]))


def test_a_second_job_runs_after_the_first_has_ended(run: AgentRun) -> None:
    """The same job.json never runs twice; another one does, once the first has ended."""
    run.start()
    step = run.python_step("open('count', 'a').write('x'); mark()")
    run.submit(step)
    run.wait_for_phase("done")
    run.submit(step)
    run.submit(step, note="again")
    wait_for(lambda: run.lines("count") == ["xx"], "the second job")
    run.wait_for_phase("done")
