"""Looks at runs as the screens get them: on GPUs, silent, failed, at home."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from remote.agent import (
    AgentProcess,
    AgentStatus,
    Checkpoints,
    CompleteCheckpoint,
    Disk,
    FinishedStep,
    Gpu,
    LogPiece,
    Problem,
    RunningStep,
    TrainingProgress,
)
from runs.cost import CostLine, RunCost
from runs.facts import Collected, Rented
from runs.journal.charges import Component
from runs.outlook import outlook
from runs.status import RunStatus
from runs.switches import Switch
from runs.training_log import TrainingReader
from runs.types import RunRow, RunState, StageName, StageRow, StageState
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from pathlib import Path

    from runs.training_log import Training

NOW = 1_795_650_000.0
HOUR = 3600.0
STEPS = 1288
AT_STEP = 640


def write_metrics(file: Path, *, steps: int = AT_STEP, lost: int = 0) -> None:
    """What a trainer of a 7B model told until `steps`; with `lost`, so many steps before that were trained twice."""
    seconds = 39.0
    events: list[dict[str, object]] = [
        {"event": "phase", "name": "loading"},
        {"event": "data", "rows": 250_000, "tokens": 90_000_000},
        {"event": "note", "text": "1 token added to the vocabulary: [PAD]"},
        {"event": "phase", "name": "training"},
        {"event": "plan", "total_steps": STEPS, "start_step": 0, "save_steps": [400, 800, 1288], "saves": 12},
    ]
    first = NOW - steps * seconds
    times = [first - 60.0] * len(events)
    for step in range(1, steps + 1):
        if lost and step == steps // 2:
            events.append({"event": "plan", "total_steps": STEPS, "start_step": step - lost, "save_steps": []})
            times.append(first + step * seconds)
        events.append(
            {
                "event": "step", "step": step, "total_steps": STEPS, "loss": 0.8 + 1.2 / (1 + step / 60),
                "learning_rate": 2e-5 * (1 - step / STEPS), "grad_norm": 1.1, "tokens_per_second": 16_400.0,
                "mfu": 0.41, "data_wait_seconds": 1.6, "save_seconds": 0.0, "gpu_power_watts": 1160.0,
                "gpu_memory_bytes": 62.1e9,
            }
        )  # fmt: skip
        times.append(first + step * seconds)
        if step in (172, 344, 516, 600):
            events.append({"event": "save", "step": step, "seconds": 61.5, "bytes": 94 * 10**9})
            times.append(first + step * seconds + 30)
    lines = (json.dumps({"t": at} | event) for at, event in zip(times, events, strict=True))
    file.write_text("".join(f"{line}\n" for line in lines))


def training(folder: Path) -> Training:
    """The same, read."""
    write_metrics(folder / "metrics.jsonl")
    return TrainingReader(folder / "metrics.jsonl").read()[-1]


def running(folder: Path, *, state: RunState = RunState.ACTIVE) -> RunStatus:
    """Step 640 of 1,288 on four A100, half a minute after the last look at the machine."""
    told = training(folder)
    row = RunRow("wizardlm-7b-k3x9qa", "wizardlm-7b", "azure", NOW - 8 * HOUR, "run.yaml", "", "0" * 64, state)
    stages = (
        StageRow(StageName.PROVISION, StageState.DONE, NOW - 8 * HOUR, NOW - 7.9 * HOUR, "4 x A100-80GB in westus3"),
        StageRow(
            StageName.BOOTSTRAP,
            StageState.DONE,
            NOW - 7.9 * HOUR,
            NOW - 7.5 * HOUR,
            "agent answers, environment complete",
        ),
        StageRow(StageName.SYNC, StageState.DONE, NOW - 7.5 * HOUR, NOW - 7.1 * HOUR, "27.4 GB sent and verified"),
        StageRow(StageName.TRAIN, StageState.RUNNING, NOW - 7 * HOUR, None, ""),
    )
    cost = RunCost(
        row.run_id,
        "azure",
        (
            CostLine(Component.MACHINE, "Standard_NC96ads_A100_v4", 8.0, 31.2, 3.9, goes_on=True, basis="made up"),
            CostLine(Component.WORKSPACE_DISK, "1,024 GiB", 8.0, 1.5, 0.19, goes_on=True, basis="made up"),
        ),
        64.0,
    )
    agent = _agent(told)
    return RunStatus(
        row=row, stages=stages, machine=Rented("/vm", "20.1.2.3", 22, "llama", "westus3", None),
        decided=decided(dollars_cap=90.0, deadline_at=NOW + 13 * HOUR), collected=None, agent=agent, silence="",
        cost=cost, switches=(Switch("dollars", in_force=True, detail=""), Switch("deadline", in_force=True, detail="")),
        heard_at=NOW, trainings=(told,), outlook=outlook(row, agent, told, cost),
    )  # fmt: skip


def _agent(told: Training) -> AgentStatus:
    losses = told.curve("loss")
    return AgentStatus(
        now=NOW, phase="running", agent=AgentProcess(1, 1.0, alive=True),
        step=RunningStep("train", 2, 11, NOW - 6.9 * HOUR, silent_seconds=3.0),
        finished_steps=(), progress=TrainingProgress(
            "training", AT_STEP, STEPS, losses[-1][1], 1e-5, 1.1, 1.5, 16_400.0, 25_272.0
        ),
        gpus=tuple(Gpu(n, "A100", 97.0 - n, int(62.1e9), 85_899_345_920, 290.0) for n in range(2)),
        final=None, problem=None, notes=(), losses=tuple(losses[::20]), log=LogPiece(0, 0, 0, b""),
        checkpoints=Checkpoints(CompleteCheckpoint(600, "/c/checkpoint-600", 94 * 10**9), (516, 600), 61.5),
        disk=Disk(1_056_000_000_000, 590_000_000_000),
    )  # fmt: skip


def silent(folder: Path) -> RunStatus:
    """The same run, whose machine has not answered for five minutes."""
    before = running(folder)
    return replace(before, silence="the machine does not answer: 20.1.2.3:22", heard_at=NOW - 300)


def failed(folder: Path) -> RunStatus:
    """The same run, which ran out of GPU memory."""
    before = running(folder)
    assert before.agent is not None
    fact = "training ended without a model: CUDA out of memory"
    stages = (*before.stages[:-1], StageRow(StageName.TRAIN, StageState.FAILED, NOW - 7 * HOUR, NOW - 60, fact))
    problem = Problem("gpu_out_of_memory", "CUDA out of memory", "a higher ZeRO stage or a larger GPU")
    agent = replace(before.agent, phase="failed", step=None, problem=problem)
    return replace(before, stages=stages, agent=agent, outlook=outlook(before.row, agent, before.training, before.cost))


def verifying(folder: Path) -> RunStatus:
    """The same run, all steps trained: its model is loaded back."""
    before = running(folder)
    assert before.agent is not None
    progress = TrainingProgress("verifying", STEPS, STEPS, 0.81, 0.0, 1.0, 3.0, 16_400.0, 0.0)
    agent = replace(
        before.agent, progress=progress, step=RunningStep("verify", 1, 12, NOW - 20),
        finished_steps=(FinishedStep("train", 7 * HOUR, 2),),
        checkpoints=Checkpoints(CompleteCheckpoint(STEPS, f"/c/checkpoint-{STEPS}", 94 * 10**9), (STEPS,), 61.5),
    )  # fmt: skip
    return replace(before, agent=agent, outlook=outlook(before.row, agent, None, before.cost))


def at_home(folder: Path) -> RunStatus:
    """The same run, ended."""
    before = running(folder, state=RunState.ENDED)
    done = "10 resources confirmed gone, about $62.10 for 15.2 h"
    stages = (
        *before.stages[:-1],
        StageRow(StageName.TRAIN, StageState.DONE, NOW - 7 * HOUR, NOW, "1288 steps, loss 0.810"),
        StageRow(StageName.TEARDOWN, StageState.DONE, NOW, NOW + 60, done),
    )
    collected = Collected("/home/ada/model", 12, 13_500_000_000, "0" * 64)
    return replace(before, stages=stages, agent=None, heard_at=None, collected=collected, switches=())
