"""One run's page: its figures at a glance, what is wrong, its money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import filterfalse
from typing import TYPE_CHECKING

from cli.words import cents, clock, dollars, duration, size
from runs.evictions import sum_words
from runs.types import RunState, StageName, StageState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote.agent import AgentStatus, Gpu
    from runs.history import RunHistory
    from runs.watch import Heard


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: name, value, what is to be known about it, and how full its bar is (percent; None: no bar)."""

    name: str
    value: str
    detail: str = ""
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know first: `kind` is `problem`, `silent` or `note`."""

    kind: str
    words: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CostBar:
    """Spent, planned and cap on one line, in percent of its width; None for what is not known."""

    spent: float
    planned: float | None
    cap: float | None


def tiles(history: RunHistory, heard: Heard, now: float) -> Iterator[Tile]:
    """The figures, the most looked at first."""
    yield from _training(history, heard.agent)
    yield _money(history)
    yield from _limits(history, now)
    if heard.agent is not None and history.row.state is RunState.ACTIVE:
        yield from _machine(heard.agent)


def notices(history: RunHistory, heard: Heard) -> Iterator[Notice]:
    """What is wrong or unusual, the worst first."""
    agent = heard.agent
    if agent is not None and agent.problem is not None:
        yield Notice("problem", agent.problem.message, agent.problem.hint)
    for stage in history.stages:
        if stage.state is StageState.FAILED:
            yield Notice("problem", f"{stage.stage} failed: {stage.summary}", _go_on(history))
    if heard.silence:
        training = any(s.stage is StageName.TRAIN and s.state is StageState.RUNNING for s in history.stages)
        calm = "The job goes on without this connection." if training else ""
        yield Notice("silent", f"The machine does not answer: {heard.silence}", calm)
    if agent is not None and agent.limits.fired:
        yield Notice("note", f"Ended by its limit: {agent.limits.fired}")
    if history.evictions:
        yield Notice("note", sum_words(history.evictions), f"the last: {history.evictions[-1].words}")


def cost_bar(history: RunHistory) -> CostBar:
    """Where spent, planned and cap are; the longest of them nearly fills the line."""
    cap = history.decided.dollars_cap if history.decided else None
    planned = history.estimate.dollars if history.estimate else None
    whole = 1.04 * max(history.cost.dollars, cap or 0.0, planned or 0.0, 1e-9)
    return CostBar(
        spent=round(100 * history.cost.dollars / whole, 2),
        planned=None if planned is None else round(100 * planned / whole, 2),
        cap=None if cap is None else round(100 * cap / whole, 2),
    )


def _training(history: RunHistory, agent: AgentStatus | None) -> Iterator[Tile]:
    training = history.training
    if training is None or not training.points:
        return
    step, total = int(training.columns["step"][-1]), training.total_steps
    eta = agent.progress.eta_seconds if agent is not None and agent.progress is not None else None
    left = f"{duration(eta)} left" if eta and agent is not None and agent.phase == "running" else ""
    of = f"{step:,} of {total:,}" if total else f"{step:,}"
    yield Tile("Step", of, left, 100 * step / total if total else None)
    loss = training.newest("loss")
    if loss is not None:
        yield Tile("Loss", f"{loss:.4g}", f"lowest {min(filterfalse(math.isnan, training.columns['loss'])):.4g}")
    speed = training.newest("tokens_per_second")
    if speed is not None:
        mfu = training.newest("mfu")
        yield Tile("Speed", f"{speed:,.0f}", "tokens a second" + (f", {mfu:.0%} of the cards' peak" if mfu else ""))
    if training.saves:
        newest = training.saves[-1]
        risk = step - newest.step
        at_risk = f"{risk:,} step{'' if risk == 1 else 's'} at risk" if risk > 0 else "nothing at risk"
        yield Tile("Checkpoint", f"step {newest.step:,}", f"{at_risk}; {len(training.saves)} saves")


def _money(history: RunHistory) -> Tile:
    cost, cap = history.cost, history.decided.dollars_cap if history.decided else None
    rehearsal = "what Azure would have taken" if history.row.cloud == "rehearsal" else ""
    hourly = f"{cents(cost.dollars_per_hour)} an hour goes on" if cost.dollars_per_hour else "nothing goes on"
    of = f"of {dollars(cap)}" if cap else ""
    share = 100 * min(1.0, cost.dollars / cap) if cap else None
    return Tile("Cost", cents(cost.dollars), "; ".join(filter(None, (of, hourly, rehearsal))), share)


def _limits(history: RunHistory, now: float) -> Iterator[Tile]:
    decided = history.decided
    if decided is not None and history.cost.dollars_per_hour:
        left = decided.deadline_at - now
        words = f"in {duration(left)}" if left > 0 else "over"
        yield Tile("Deadline", words, clock(decided.deadline_at))


def _machine(agent: AgentStatus) -> Iterator[Tile]:
    for gpu in agent.gpus:
        used, whole = gpu.memory_used_bytes, gpu.memory_total_bytes
        memory = f"{size(used)} of {size(whole)}" if used is not None and whole is not None else ""
        busy = gpu.utilization_percent
        yield Tile(f"GPU {gpu.index}", "?" if busy is None else f"{busy:.0f} %", _gpu_detail(gpu, memory), busy)
    if agent.disk.total_bytes:
        used_bytes = agent.disk.total_bytes - agent.disk.free_bytes
        yield Tile(
            "Disk", f"{size(agent.disk.free_bytes)} free", f"of {size(agent.disk.total_bytes)}",
            100 * used_bytes / agent.disk.total_bytes,
        )  # fmt: skip


def _gpu_detail(gpu: Gpu, memory: str) -> str:
    return ", ".join(filter(None, (memory, "" if gpu.power_watts is None else f"{gpu.power_watts:.0f} W")))


def _go_on(history: RunHistory) -> str:
    return f"go on with `llamalift resume {history.row.run_id}`" if history.row.state is RunState.ACTIVE else ""
