"""What a status says below its stages: one fact a line, the reason beside the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli.bars import alarm_style, bar
from cli.sparkline import sparkline
from cli.words import age, cents, clock, dollars, duration, size
from runs.evictions import sum_words
from runs.job import launch_words
from runs.types import RunState, StageName, StageState
from templates.agent.limits import budget_level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote.agent import AgentStatus, Gpu, RunningStep
    from runs.other_machines import OtherMachine
    from runs.status import RunStatus
    from runs.training_log import Training

    Fact = tuple[str, str | Text]

# Steps and saves of a minute are nothing to speak of.
_SILENT_SECONDS = 60.0
# Waiting for data is worth a word from so much of the time on.
_WAITING_SHARE = 0.02


def facts(seen: RunStatus, *, width: int, now: float) -> Iterator[Fact]:
    """Each with its name; `width` is that of the terminal, `now` in seconds since the epoch."""
    wide = max(8, min(40, width - 50))
    yield from _machine(seen, now)
    if seen.agent is not None:
        yield from _progress(seen, seen.agent, wide)
        yield from _resources(seen.agent, max(6, min(16, width - 68)))
    if seen.evictions:
        yield "evicted", f"{sum_words(seen.evictions)}; the last: {seen.evictions[-1].words}"
    yield from _money(seen, max(6, min(16, width - 68)), now)
    if seen.collected is not None:
        yield "model", f"{seen.collected.target} ({size(seen.collected.size_bytes)}, verified)"
    yield from _trouble(seen, now)


def _machine(seen: RunStatus, now: float) -> Iterator[Fact]:
    if seen.machine is not None and seen.row.state is RunState.ACTIVE:
        machine = seen.machine
        yield "machine", f"{machine.username}@{machine.address}:{machine.ssh_port}, {machine.region}"
        yield from ((f"machine {other.number}", _other_words(other)) for other in seen.others)
    if seen.off_since is not None:
        why = "paused" if seen.paused_at is not None else "deallocated"
        yield why, f"since {clock(seen.off_since)}; `llamalift resume {seen.row.run_id}` goes on"
    elif seen.silence:
        training = any(s.stage is StageName.TRAIN and s.state is StageState.RUNNING for s in seen.stages)
        yield "silent", seen.silence + ("; the job goes on without this connection" if training else "")
        if seen.heard_at is not None:
            yield "as of", f"{age(seen.heard_at, now)}: what follows is what the machine said then"


def _other_words(other: OtherMachine) -> str:
    machine = other.machine
    where = f"{machine.username}@{machine.address}:{machine.ssh_port}"
    if other.silence:
        return f"{where}, silent: {other.silence}"
    words = {"running": "trains beside the first", "waiting": "waits for its job"}.get(other.phase, other.phase)
    return f"{where}, {words}{f': {other.problem}' if other.problem and other.phase == 'failed' else ''}"


def _progress(seen: RunStatus, agent: AgentStatus, wide: int) -> Iterator[Fact]:
    progress = agent.progress
    if agent.step is not None:
        yield from _step(agent.step)
    if progress is not None and progress.step is not None:
        left = progress.eta_seconds if agent.phase == "running" else None
        ends = f", {duration(left)} left, until {clock(seen.heard_at + left)}" if left and seen.heard_at else ""
        ends = ends or (f", {duration(left)} left" if left else "")
        yield "step", f"{progress.step} of {progress.total_steps}{ends}"
    if agent.losses:
        yield "loss", f"{agent.losses[-1][1]:.3f}  {sparkline([loss for _, loss in agent.losses], width=wide)}"
    if progress is not None and progress.tokens_per_second:
        yield "speed", f"{progress.tokens_per_second:,.0f} tokens/s{_speed_words(seen.training)}"
    yield from _checkpoints(seen, agent)


def _speed_words(training: Training | None) -> str:
    if training is None:
        return ""
    words = []
    if (mfu := training.newest("mfu")) is not None:
        words.append(f"MFU {mfu:.0%}")
    waited, (begin, end) = training.newest("data_wait_seconds"), _last_times(training)
    if waited is not None and end > begin and waited / (end - begin) >= _WAITING_SHARE:
        words.append(f"waits for data {waited / (end - begin):.0%} of the time")
    return "".join(f", {word}" for word in words)


def _last_times(training: Training) -> tuple[float, float]:
    at = training.columns["at"]
    return (at[-2], at[-1]) if len(at) > 1 else (0.0, 0.0)


def _step(step: RunningStep) -> Iterator[Fact]:
    if launch := launch_words(step.name):
        is_stage = launch.startswith("stage ")
        yield ("stage", launch.removeprefix("stage ")) if is_stage else ("launch", launch)
    if (step.silent_seconds or 0) >= _SILENT_SECONDS:
        yield "silent", f"for {duration(step.silent_seconds or 0)}: a long step or save, or it has hung"


def _checkpoints(seen: RunStatus, agent: AgentStatus) -> Iterator[Fact]:
    newest, draining = agent.checkpoints.newest_complete, agent.checkpoints.draining
    if newest is not None:
        took = agent.checkpoints.last_save_seconds
        yield (
            "checkpoint",
            f"step {newest.step} complete, {size(newest.size_bytes)}"
            + ("" if took is None else f", saved in {duration(took)}" if took >= 1 else f", saved in {took:.2f} s"),
        )
    if steps := seen.outlook.at_risk_steps:
        lasted = seen.outlook.at_risk_seconds
        work = "" if lasted is None else f", {duration(lasted)} of work"
        yield "at risk", f"{steps} step{'s' if steps > 1 else ''}{work}, if the machine went now"
    if draining is not None:
        share = draining.done_bytes / max(draining.bytes, 1)
        yield "on its way", f"step {draining.step} from scratch to the workspace, {share:.0%} of {size(draining.bytes)}"


def _resources(agent: AgentStatus, wide: int) -> Iterator[Fact]:
    for gpu in agent.gpus:
        yield f"GPU {gpu.index}", _gpu(gpu, wide)
    disk = agent.disk
    used = 1 - disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    yield (
        "disk",
        Text.assemble(
            bar(used, width=wide, style=alarm_style(used)),
            f" {size(disk.free_bytes)} of {size(disk.total_bytes)} free",
        ),
    )
    if agent.limits.fired:
        yield "ended by", agent.limits.fired


def _gpu(gpu: Gpu, wide: int) -> Text:
    """What the card tells of itself; not every card tells everything."""
    words = Text()
    if gpu.utilization_percent is not None:
        words.append_text(bar(gpu.utilization_percent / 100, width=wide)).append(f" {gpu.utilization_percent:3.0f} %  ")
    if gpu.memory_used_bytes is not None and gpu.memory_total_bytes:
        share = gpu.memory_used_bytes / gpu.memory_total_bytes
        words.append_text(bar(share, width=wide, style=alarm_style(share)))
        words.append(f" {size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)}  ")
    if gpu.power_watts is not None:
        words.append(f"{gpu.power_watts:.0f} W")
    words.rstrip()
    return words


def _money(seen: RunStatus, wide: int, now: float) -> Iterator[Fact]:
    decided = seen.decided
    if decided is not None and seen.row.state is RunState.ACTIVE:
        in_time = decided.deadline_at - now
        left = f" (in {duration(in_time)})" if 0 < in_time < 1e8 else ""
        yield "deadline", f"{clock(decided.deadline_at)}{left}, cap {dollars(decided.dollars_cap)}"
        yield from _budget(seen, decided.dollars_cap, wide)
        armed = [switch.name for switch in seen.switches if switch.in_force]
        if armed:
            yield "switches", f"{', '.join(armed)}: each ends the bill without you"
        billed_on = [switch.name for switch in seen.switches if not switch.in_force]
        if billed_on:
            yield "no switch", f"{', '.join(billed_on)}: it would not end the bill (`--json` says why)"
    elif seen.cost is not None and seen.cost.lines:
        planned = "" if seen.cost.estimate_dollars is None else f", planned {cents(seen.cost.estimate_dollars)}"
        yield "cost", f"{cents(seen.cost.dollars)}{planned}{_would(seen)}"


def _budget(seen: RunStatus, cap: float, wide: int) -> Iterator[Fact]:
    """What is spent, as the journal counts it: disks and address included, which the machine does not see."""
    if seen.cost is None or not seen.cost.lines:
        return
    spent = seen.cost.dollars
    level = budget_level(spent, cap)
    warning = f": {level} % is reached" if level else ""
    going_on = f", {cents(seen.cost.dollars_per_hour)} an hour goes on" if seen.cost.dollars_per_hour else ""
    words = f"{cents(spent)} of {dollars(cap)}{warning}{going_on}{_would(seen)}"
    share = spent / cap if cap else 0.0
    yield "spent", Text.assemble(bar(share, width=wide, style=alarm_style(share)), f" {words}")
    if seen.outlook.dollars is not None and seen.outlook.seconds_left:
        over = Text(" that is more than the cap", "red") if seen.outlook.dollars > cap else Text()
        yield "forecast", Text.assemble(f"{cents(seen.outlook.dollars)} when training ends", over)


def _would(seen: RunStatus) -> str:
    return " (rehearsal: what Azure would have taken)" if seen.row.cloud == "rehearsal" else ""


def _trouble(seen: RunStatus, now: float) -> Iterator[Fact]:
    """The last problem, with what to do about it; what the trainer only warned of comes without."""
    problem = seen.agent.problem if seen.agent else None
    if problem is not None:
        yield "problem", Text(problem.message, "red")
        if problem.hint:
            yield "hint", problem.hint
        return
    failed = [stage for stage in seen.stages if stage.state is StageState.FAILED]
    if failed and seen.row.state is RunState.ACTIVE and seen.paused_at is None:
        run_id = seen.row.run_id
        yield "hint", f"`llamalift resume {run_id}` goes on; `llamalift events {run_id}` tells how it came"
        return
    warnings = [said for said in seen.training.said if said.kind == "warning"] if seen.training else []
    if warnings and seen.row.state is RunState.ACTIVE:
        yield "warning", Text(f"{warnings[-1].text} ({age(warnings[-1].at, now)})", "yellow")
