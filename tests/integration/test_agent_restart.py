from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.agent_run import AgentRun, is_running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Notes each start, then waits for a file to appear.
_LONG_STEP = """
import os, time
with open('starts', 'a') as file:
    file.write(f'{os.getpid()}' + chr(10))
while not os.path.exists('go'):
    time.sleep(0.02)
mark()
"""
# Like torchrun: ranks in sessions of their own, which go on when their launcher is killed.
_LAUNCHER = """
import subprocess, sys, time
rank = "import os, time; open('ranks', 'a').write(f'{os.getpid()}' + chr(10)); time.sleep(600)"
ranks = [subprocess.Popen([sys.executable, '-c', rank], start_new_session=True) for _ in range(2)]
time.sleep(600)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[AgentRun]:
    """A run folder with the agent in it."""
    agent = AgentRun.create(tmp_path)
    yield agent
    agent.close()


def test_a_killed_daemon_finds_the_running_step_again(run: AgentRun) -> None:
    """A killed daemon leaves the step alone; the next one adopts it, sees its end, and starts nothing twice."""
    run.submit(run.python_step(_LONG_STEP))
    first = run.start()
    wait_for(lambda: run.lines("starts"), "the step to begin")
    wait_for(lambda: (run.snapshot().get("step") or {}).get("pid"), "the step's process id in the status")
    first.kill()
    first.wait()
    assert run.status()["agent"]["alive"] is False
    second = run.start()
    wait_for(lambda: run.snapshot()["agent"]["pid"] == second.pid, "the second daemon")
    assert run.status()["step"]["pid"] == int(run.lines("starts")[0])
    (run.root / "go").touch()
    document = run.wait_for_phase("done", "failed")
    assert document["phase"] == "done"
    assert len(run.lines("starts")) == 1
    assert document["finished_steps"][0]["attempts"] == 1


def test_a_step_that_ended_while_no_daemon_lived_is_judged_by_its_exit_code(run: AgentRun) -> None:
    """The exit code is on disk: a marker alone does not make a success, also when nobody watched."""
    run.submit(run.python_step(_LONG_STEP + "raise SystemExit(7)"))
    first = run.start()
    wait_for(lambda: run.lines("starts"), "the step to begin")
    first.kill()
    first.wait()
    (run.root / "go").touch()
    wait_for(lambda: list(run.root.glob("attempts/*/exit.json")), "the exit record")
    run.start()
    assert run.wait_for_phase("done", "failed")["problem"]["message"] == "exit code: 7"


@pytest.mark.parametrize("lives", range(6))
def test_daemons_killed_in_quick_succession_start_each_step_once(run: AgentRun, lives: int) -> None:
    """Whenever it is killed, from before the intent to after the end, the step has run exactly once."""
    run.submit(run.python_step("open('starts', 'a').write('x' + chr(10)); mark()"))
    for life in range(lives):
        daemon = run.start()
        wait_for((run.root / "agent.lock").exists, "a sign of life")
        # Later and later in its life: 0, 40, 80 ... ms after it has the lock.
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(0.04 * life + 0.001)
        daemon.kill()
        daemon.wait()
    run.start()
    assert run.wait_for_phase("done", "failed")["phase"] == "done"
    assert run.lines("starts") == ["x"]


def test_there_is_one_daemon_at_a_time(run: AgentRun) -> None:
    """A second daemon of the same run leaves at once, without touching anything."""
    run.start()
    run.wait_for_phase("waiting")
    second = run.verb("serve", "--run-dir", str(run.root))
    assert (second.returncode, second.stdout.strip()) == (0, '{"served": false}')


def test_a_daemon_asked_to_leave_leaves_the_step_alone(run: AgentRun) -> None:
    """SIGTERM to the daemon (an upgrade, a restart of the unit) does not end training."""
    run.submit(run.python_step(_LONG_STEP))
    first = run.start()
    wait_for(lambda: run.lines("starts"), "the step to begin")
    first.terminate()
    assert first.wait(20) == 0
    assert is_running(int(run.lines("starts")[0]))
    run.start()
    (run.root / "go").touch()
    assert run.wait_for_phase("done", "failed")["phase"] == "done"


@pytest.mark.parametrize("victim", ["the launcher", "the holder"])
def test_no_rank_survives_its_launcher(run: AgentRun, victim: str) -> None:
    """Ranks that go on after kill -9 of what started them are ended before the step is started again."""
    run.submit(run.python_step(_LAUNCHER, max_restarts=1))
    run.start()
    wait_for(lambda: len(run.lines("ranks")) == 2, "two ranks")
    first = [int(pid) for pid in run.lines("ranks")]
    record = "leader" if victim == "the launcher" else "claim"
    os.kill(_recorded_pid(run, record), signal.SIGKILL)
    wait_for(lambda: len(run.lines("ranks")) == 4, "the second attempt's ranks")
    assert not any(is_running(pid) for pid in first)
    assert run.snapshot()["step"]["attempt"] == 2
    os.kill(_recorded_pid(run, "leader"), signal.SIGKILL)
    assert run.wait_for_phase("failed")["problem"]["kind"] == "killed"
    assert not any(is_running(int(pid)) for pid in run.lines("ranks"))


def test_a_machine_that_went_down_costs_no_restart(run: AgentRun) -> None:
    """After a restart of the machine the step is started again, also when it may not crash even once."""
    run.submit(run.python_step(_LONG_STEP, max_restarts=0))
    first = run.start()
    wait_for(lambda: run.lines("starts"), "the step to begin")
    first.kill()
    first.wait()
    os.kill(_recorded_pid(run, "claim"), signal.SIGKILL)
    os.kill(int(run.lines("starts")[0]), signal.SIGKILL)
    claim = next(run.root.glob("attempts/*/claim.json"))
    claim.write_text(claim.read_text().replace('"boot_id": "', '"boot_id": "earlier-'))
    run.start()
    wait_for(lambda: len(run.lines("starts")) == 2, "the second start")
    (run.root / "go").touch()
    assert run.wait_for_phase("done", "failed")["phase"] == "done"


def _recorded_pid(run: AgentRun, record: str) -> int:
    newest = max(run.root.glob(f"attempts/*/{record}.json"))
    return int(json.loads(newest.read_text())["pid"])
