"""Runs as they lie in a state folder after a while: rows of the journal, and the copies of log and metrics."""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from runs.facts import Collected, Decided, Estimate, Evictions
from runs.journal import Journal
from runs.journal.charges import Component
from runs.types import RunState, StageName, StageState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runs.state_folder import StateFolder

_MACHINE, _DISK = 14.69, 0.19


@dataclass(slots=True)
class ToldRun:
    """One run of eight hours' training, as much of it as `steps` says.

    Attributes:
        state: Where it lies.
        run_id: Its id.
        steps: How many were logged.
        total_steps: Of how many.
        hours_ago: When it was begun.
        standing: `running`, `failed` or `finished`.
        evicted: The machine was taken away once.
        message: What the newest problem says; empty for none.
    """

    state: StateFolder
    run_id: str
    steps: int = 400
    total_steps: int = 1288
    hours_ago: float = 5.0
    standing: str = "running"
    evicted: bool = False
    message: str = ""
    spec_text: str = ""
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = time.time() - 3600 * self.hours_ago

    @property
    def folder(self) -> Path:
        """Its private folder."""
        return self.state.run(self.run_id)

    def write(self) -> ToldRun:
        """Write all of it; gives the run back."""
        write_runs(self.state, [self])
        self._write_metrics()
        log = "".join(f"{{'loss': {2.2 - step / 1000:.4f}, 'step': {step}}}\n" for step in range(min(self.steps, 3000)))
        (self.folder / "train.log").write_text(log + (f"problem: {self.message}\n" if self.message else ""))
        return self

    def rows(self) -> Iterable[tuple[str, list[tuple[object, ...]]]]:
        """What the journal has of it: tables and their rows."""
        ended = self.begun + 3600 * min(self.hours_ago, 4.0) if self.standing != "running" else None
        whole = RunState.ENDED if self.standing == "finished" else RunState.ACTIVE
        name = self.run_id.rpartition("-")[0]
        yield "runs", [(self.run_id, name, "azure", self.begun, "run.yaml", self.spec_text, "0" * 64, whole)]
        yield "stages", [(self.run_id, *row) for row in self._stages(ended)]
        yield (
            "facts",
            [(self.run_id, type(f).__name__, self.begun, json.dumps(asdict(f))) for f in self._facts()],
        )
        basis = "list prices, 2026-11"
        charges = [
            (Component.MACHINE, "Standard_NC96ads_A100_v4", _MACHINE),
            (Component.WORKSPACE_DISK, "1 TiB", _DISK),
        ]
        yield (
            "charges",
            [
                (None, self.run_id, what, which, f"/{self.run_id}/{what}", price, basis, self.begun + 60, ended)
                for what, which, price in charges
            ],
        )
        group = (f"llamalift-{self.run_id}", f"/{self.run_id}", self.begun + 30, self.begun + 40)
        gone = (ended, ended) if whole is RunState.ENDED else (None, None)
        yield "effects", [(None, self.run_id, "resource group", *group, *gone)]
        yield "events", [(None, self.run_id, self.begun + 1, "the run was entered", "")]

    def _stages(self, ended: float | None) -> Iterable[tuple[object, ...]]:
        begun, at = [StageName.PROVISION, StageName.BOOTSTRAP, StageName.SYNC, StageName.TRAIN], self.begun
        for number, stage in enumerate(begun):
            until = at + 240 * (number + 1)
            if stage is not StageName.TRAIN:
                yield stage, StageState.DONE, at, until, f"{stage} is done"
                at = until
            elif self.standing == "running":
                yield stage, StageState.RUNNING, at, None, ""
            else:
                is_failed = self.standing == "failed"
                yield stage, StageState.FAILED if is_failed else StageState.DONE, at, ended, self.message

    def _facts(self) -> Iterable[Any]:
        yield Estimate(dollars=52.4, hours=4.1)
        yield Decided(
            subscription_id="0" * 8, region="eastus", zone=None, image="microsoft-dsvm:ubuntu-hpc:2404:1",
            caller_address="192.0.2.7/32", workspace_gib=1024, size="Standard_NC96ads_A100_v4", spot=True,
            machine_dollars_per_hour=_MACHINE, disk_dollars_per_hour=_DISK, address_dollars_per_hour=0.005,
            price_basis="list prices", dollars_per_hour=14.885, dollars_cap=120.0,
            deadline_at=self.begun + 20 * 3600, save_seconds=60.0,
        )  # fmt: skip
        if self.standing == "finished":
            yield Collected(target="model", files=12, size_bytes=13_480_000_000, manifest_sha256="0" * 64)
        if self.evicted:
            off = self.begun + 2.4 * 3600
            yield Evictions([
                {
                    "off_at": off, "back_at": off + 900, "what": "save", "reason": "", "notice_seconds": 30.0,
                    "step": 300, "saved_step": 290, "lost_steps": 10, "lost_seconds": 280.0, "dollars": 1.07,
                }
            ])  # fmt: skip

    def _write_metrics(self) -> None:
        write_metrics(
            self.folder / "metrics.jsonl", self.steps, self.total_steps, begun=self.begun + 1500,
            step_seconds=(self.hours_ago * 3600 - 1500) / max(self.steps, 1), message=self.message,
        )  # fmt: skip


def write_runs(state: StateFolder, runs: Iterable[ToldRun]) -> None:
    """Enter runs into the journal, all in one transaction."""
    with Journal(state.journal).transaction() as db:
        for run in runs:
            for table, rows in run.rows():
                marks = ", ".join("?" * len(rows[0])) if rows else ""
                db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - our own tables


def write_metrics(
    file: Path, steps: int, total_steps: int, *, begun: float, step_seconds: float = 39.0, message: str = ""
) -> None:
    """Write what a trainer tells of `steps` steps: a loss that falls with noise, a cosine rate, saves at times."""
    chance = random.Random(7)  # noqa: S311 - noise, the same each time
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        _tell(stream, begun, event="plan", start_step=0, total_steps=total_steps, save_steps=[])
        for step in range(1, steps + 1):
            _tell(stream, begun + step * step_seconds, event="step", **step_event(step, total_steps, chance))
            if step % max(1, total_steps // 8) == 0:
                _tell(stream, begun + step * step_seconds, event="save", step=step, seconds=61.5, bytes=94_300_000_000)
        if message:
            _tell(stream, begun + steps * step_seconds, event="problem", kind="loss", text=message)


def step_event(step: int, total_steps: int, chance: random.Random) -> dict[str, float]:
    """What is told of one step."""
    share = step / total_steps
    loss = 0.62 + 1.5 * math.exp(-6 * share) + chance.gauss(0, 0.05)
    warm = min(1.0, share / 0.03)
    return {
        "step": step, "total_steps": total_steps, "loss": round(loss, 4),
        "learning_rate": round(2e-5 * warm * (0.5 + 0.5 * math.cos(math.pi * share)), 10),
        "grad_norm": round(1 + chance.random(), 3), "epoch": round(3 * share, 4),
        "tokens_per_second": round(16_400 + chance.gauss(0, 180), 1),
    }  # fmt: skip


def _tell(stream: Any, at: float, **event: object) -> None:  # noqa: ANN401 - an open file
    stream.write(json.dumps({"t": round(at, 3), **event}) + "\n")
