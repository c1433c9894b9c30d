"""One run on one screen: what is known, and nothing that is not so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.columns import print_columns
from cli.status_screen import print_status
from remote.agent import (
    AgentProcess,
    AgentStatus,
    Checkpoints,
    CompleteCheckpoint,
    Draining,
    LogPiece,
    Problem,
    RunningStep,
    TrainingProgress,
)
from runs.cost import CostLine, RunCost
from runs.facts import Collected, Rented
from runs.journal.charges import Component
from runs.other_machines import OtherMachine
from runs.stages.train import describe
from runs.status import RunStatus
from runs.switches import Switch
from runs.types import RunRow, RunState, StageName, StageRow, StageState
from tests.fakes.decisions import decided

ROW = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, "run.yaml", "", "0" * 64, RunState.ACTIVE)
RENTED = Rented("/vm", "127.1.2.3", 2222, "llama", "eastus", None)


def seen(
    train: StageState, *, agent: AgentStatus | None = None, silence: str = "", collected: Collected | None = None
) -> RunStatus:
    """A look at a run that came to training."""
    stages = (StageRow(StageName.TRAIN, train, 1.0, None if train is StageState.RUNNING else 66.0, ""),)
    return RunStatus(ROW, stages, RENTED, None, collected, agent, silence)


def an_agent(phase: str, problem: Problem | None = None) -> AgentStatus:
    """What the machine says at step 9 of 36."""
    return AgentStatus(
        now=1.0, phase=phase, agent=AgentProcess(1, 1.0, alive=True), step=None, finished_steps=(),
        progress=TrainingProgress("training", 9, 36, 6.2, 1e-3, 0.7, 0.25, 1759.4, 75.0), gpus=(), final=None,
        problem=problem, notes=(), losses=((1, 6.9), (9, 6.2)), log=LogPiece(0, 0, 0, b""),
    )  # fmt: skip


def test_a_running_job_tells_step_loss_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Each on its own line, beside where the machine is."""
    print_status(seen(StageState.RUNNING, agent=an_agent("running")))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "machine llama@127.1.2.3:2222, eastus" in lines
    assert "step 9 of 36, 1 m 15 s left" in lines
    assert "loss 6.200 █▁" in lines
    assert "speed 1,759 tokens/s" in lines


def test_a_checkpoint_on_its_way_is_told_and_not_called_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """On the screen and in the line that follows a training; it counts when all of it is on the workspace."""
    checkpoints = Checkpoints(CompleteCheckpoint(4, "/c/checkpoint-4", 94 * 10**9), (4,), 24.0, Draining(8, 1000, 620))
    agent = replace(an_agent("running"), checkpoints=checkpoints)
    print_status(seen(StageState.RUNNING, agent=agent))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "checkpoint step 4 complete, 94.0 GB, saved in 24 s" in lines
    assert "on its way step 8 from scratch to the workspace, 62% of 1.0 kB" in lines
    assert describe(agent).endswith("saved at 4, 8 on its way to the disk")


@pytest.mark.parametrize(("seconds", "shown"), [(None, False), (30.0, False), (200.0, True)])
def test_a_training_that_gives_no_sign_of_life_is_told(
    capsys: pytest.CaptureFixture[str], seconds: float | None, *, shown: bool
) -> None:
    """Before the agent calls it hung."""
    step = RunningStep("train", 1, 7, 1.0, silent_seconds=seconds)
    print_status(seen(StageState.RUNNING, agent=replace(an_agent("running"), step=step)))
    assert ("for 3 m 20 s: a long step or save" in capsys.readouterr().out) is shown


def test_a_relaunched_recipe_tells_which_launch_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Its steps go back at each one, which nobody should have to puzzle out; on the screen and while it is watched."""
    agent = replace(an_agent("running"), step=RunningStep("train-400", 1, 11, 1.0))
    print_status(seen(StageState.RUNNING, agent=agent))
    assert "launch save_steps 400" in " ".join(capsys.readouterr().out.split())
    assert describe(agent) == "save_steps 400, loss 6.200, 1,759 tokens/s, 1 m left"
    assert describe(replace(agent, step=RunningStep("train", 1, 11, 1.0))) == "loss 6.200, 1,759 tokens/s, 1 m left"


def test_a_failed_job_tells_why_and_what_next(capsys: pytest.CaptureFixture[str]) -> None:
    """And no time left: nothing runs."""
    print_status(seen(StageState.FAILED, agent=an_agent("failed", Problem("oom", "out of memory", "a smaller batch"))))
    out = capsys.readouterr().out
    assert "out of memory" in out
    assert "a smaller batch" in out
    assert " left" not in out


@pytest.mark.parametrize(("train", "goes_on"), [(StageState.RUNNING, True), (StageState.FAILED, False)])
def test_a_silent_machine_trains_on_only_if_it_trained(
    capsys: pytest.CaptureFixture[str], train: StageState, *, goes_on: bool
) -> None:
    """A deallocated machine is silent, too."""
    print_status(seen(train, silence="no answer"))
    out = capsys.readouterr().out
    assert "no answer" in out
    assert ("the job goes on" in out) is goes_on


def test_a_paused_run_says_so_and_what_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Not that it is silent; and the cap is held against all that the journal counts."""
    lines = (
        CostLine(Component.MACHINE, "big", 2.0, 52.0, 26.0, goes_on=False, basis="made up"),
        CostLine(Component.WORKSPACE_DISK, "1,024 GiB", 10.0, 2.0, 0.2, goes_on=True, basis="made up"),
    )
    paused = replace(
        seen(StageState.FAILED, silence="the run is paused"),
        decided=decided(dollars_cap=100.0),
        off_since=60.0,
        paused_at=50.0,
        cost=RunCost("tiny-aaaaaa", "azure", lines, None),
        switches=(Switch("idle", in_force=False, detail="no right"),),
    )
    print_status(paused)
    out = " ".join(capsys.readouterr().out.split())
    assert "paused since 1970" in out
    assert "silent" not in out
    assert "$54.00 of $100.00: 50 % is reached, $0.2000 an hour goes on" in out
    assert "no switch idle" in out


def test_columns_are_as_wide_as_their_widest_cell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is padded after the last one, and NO_COLOR is obeyed."""
    monkeypatch.setenv("NO_COLOR", "1")
    print_columns(("A", "B"), [("long cell", "x"), ("y", "z")], colours=[("", "red"), ("", "")])
    assert capsys.readouterr().out == "A          B\nlong cell  x\ny          z\n"


def test_each_of_several_machines_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What it does beside the first one, or why it says nothing."""
    rented = Rented("/vm2", "127.1.2.4", 2222, "llama", "eastus", None)
    others = (
        OtherMachine(2, rented, "running"),
        OtherMachine(3, rented, "failed", "the disk is full"),
        OtherMachine(4, rented, silence="it does not answer"),
    )
    print_status(replace(seen(StageState.RUNNING, agent=an_agent("running")), others=others))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "machine 2 llama@127.1.2.4:2222, trains beside the first" in lines
    assert "machine 3 llama@127.1.2.4:2222, failed: the disk is full" in lines
    assert "machine 4 llama@127.1.2.4:2222, silent: it does not answer" in lines
