"""One run on one screen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cli.console import data
from cli.status_facts import facts
from cli.status_tree import stage_tree
from cli.words import age, duration
from runs.types import RunState, StageState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from runs.status import RunStatus


def print_status(seen: RunStatus) -> None:
    """Print it to stdout."""
    console = data()
    console.print(status_view(seen, width=console.width))


def status_view(seen: RunStatus, *, width: int, now: float | None = None) -> RenderableType:
    """All of it, for a terminal that is so many columns wide, as it is at `now` (seconds since the epoch)."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    at = time.time() if now is None else now
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for name, value in facts(seen, width=width, now=at):
        lines.add_row(f"  {name}", value if isinstance(value, Text) else Text(value))
    return Group(_head(seen, at), stage_tree(seen, width=width, now=at), lines)


def _head(seen: RunStatus, now: float) -> Text:
    from rich.text import Text

    begun = f"begun {age(seen.row.created_at, now)}"
    return Text.assemble((seen.row.run_id, "bold"), f"   {seen.row.cloud}   {_standing(seen)}   ", (begun, "dim"))


def _standing(seen: RunStatus) -> str:
    if seen.row.state is RunState.ENDED:
        return "nothing left in the cloud"
    return "paused" if seen.paused_at is not None else "active"


<<<<<<< HEAD
def one_line(seen: RunStatus) -> str:
    """Where it stands in one line: what stays on the screen when nobody watches any more."""
    words = [f"{seen.row.run_id}:"]
    if seen.row.state is RunState.ENDED:
        words.append("nothing left in the cloud")
    elif seen.stages:
        newest = seen.stages[-1]
        words.append(f"{newest.stage} {'failed' if newest.state is StageState.FAILED else newest.state}")
    progress = seen.agent.progress if seen.agent else None
    if progress is not None and progress.step is not None and seen.row.state is RunState.ACTIVE:
        words.append(f"step {progress.step} of {progress.total_steps}")
        words += [f"loss {progress.loss:.3f}"] if progress.loss is not None else []
        left = seen.outlook.seconds_left
        words += [f"{duration(left)} left"] if left else []
    if seen.silence and seen.heard_at is not None:
        words.append(f"as of {age(seen.heard_at)}")
    return f"{words[0]} {', '.join(words[1:])}" if len(words) > 1 else f"{words[0]} not begun"
=======
def _facts(seen: RunStatus) -> Iterator[tuple[str, str]]:
    if seen.machine is not None and seen.row.state is RunState.ACTIVE:
        machine = seen.machine
        yield (
            "machine",
            f"{machine.username}@{machine.address}:{machine.ssh_port}, {machine.region}",
        )
    if seen.off_since is not None:
        why = "paused" if seen.paused_at is not None else "deallocated"
        yield why, f"since {clock(seen.off_since)}; `llamalift resume {seen.row.run_id}` goes on"
    elif seen.silence:
        training = any(s.stage is StageName.TRAIN and s.state is StageState.RUNNING for s in seen.stages)
        yield "silent", seen.silence + ("; the job goes on without this connection" if training else "")
    if seen.agent is not None:
        yield from _agent_facts(seen.agent)
    if seen.evictions:
        yield "evicted", f"{sum_words(seen.evictions)}; the last: {seen.evictions[-1].words}"
    if seen.decided is not None and seen.row.state is RunState.ACTIVE:
        yield "deadline", f"{clock(seen.decided.deadline_at)}, cap {dollars(seen.decided.dollars_cap)}"
        yield from _budget(seen, seen.decided.dollars_cap)
        billed_on = [switch.name for switch in seen.switches if not switch.in_force]
        if billed_on:
            yield "no switch", f"{', '.join(billed_on)}: it would not end the bill (`--json` says why)"
    if seen.collected is not None:
        yield "model", f"{seen.collected.target} ({size(seen.collected.size_bytes)}, verified)"


def _budget(seen: RunStatus, cap: float) -> Iterator[tuple[str, str]]:
    """What is spent, as the journal counts it: disks and address included, which the machine does not see."""
    if seen.cost is None or not seen.cost.lines:
        return
    spent = seen.cost.dollars
    would = " (rehearsal: what Azure would have taken)" if seen.row.cloud == "rehearsal" else ""
    level = budget_level(spent, cap)
    warning = f": {level} % is reached" if level else ""
    going_on = f", {cents(seen.cost.dollars_per_hour)} an hour goes on" if seen.cost.dollars_per_hour else ""
    yield "spent", f"{cents(spent)} of {dollars(cap)}{warning}{going_on}{would}"


def _gpu(gpu: Gpu) -> str:
    """What the card tells of itself; not every card tells everything."""
    words = [] if gpu.utilization_percent is None else [f"{gpu.utilization_percent:.0f} %"]
    if gpu.memory_used_bytes is not None and gpu.memory_total_bytes is not None:
        words.append(f"{size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)}")
    if gpu.power_watts is not None:
        words.append(f"{gpu.power_watts:.0f} W")
    return ", ".join(words)


def _step_facts(step: RunningStep) -> Iterator[tuple[str, str]]:
    if launch := launch_words(step.name):
        is_stage = launch.startswith("stage ")
        yield ("stage", launch.removeprefix("stage ")) if is_stage else ("launch", launch)
    if (step.silent_seconds or 0) >= _SILENT_SECONDS:
        yield "silent", f"for {duration(step.silent_seconds or 0)}: a long step or save, or it has hung"


def _checkpoints(checkpoints: Checkpoints) -> Iterator[tuple[str, str]]:
    newest, draining = checkpoints.newest_complete, checkpoints.draining
    if newest is not None:
        yield "checkpoint", f"step {newest.step} complete, {size(newest.size_bytes)}"
    if draining is not None:
        share = draining.done_bytes / max(draining.bytes, 1)
        yield "on its way", f"step {draining.step} from scratch to the workspace, {share:.0%} of {size(draining.bytes)}"


def _agent_facts(agent: AgentStatus) -> Iterator[tuple[str, str]]:
    progress = agent.progress
    if agent.step is not None:
        yield from _step_facts(agent.step)
    if progress is not None and progress.step is not None:
        yield (
            "step",
            f"{progress.step} of {progress.total_steps}"
            + (f", {duration(progress.eta_seconds)} left" if progress.eta_seconds and agent.phase == "running" else ""),
        )
    if agent.losses:
        yield "loss", f"{agent.losses[-1][1]:.3f}  {sparkline([loss for _, loss in agent.losses], width=40)}"
    if progress is not None and progress.tokens_per_second:
        yield "speed", f"{progress.tokens_per_second:,.0f} tokens/s"
    yield from _checkpoints(agent.checkpoints)
    for gpu in agent.gpus:
        yield f"GPU {gpu.index}", _gpu(gpu)
    yield "disk", f"{size(agent.disk.free_bytes)} of {size(agent.disk.total_bytes)} free"
    if agent.limits.fired:
        yield "ended by", agent.limits.fired
    if agent.problem is not None:
        yield "problem", agent.problem.message
        if agent.problem.hint:
            yield "hint", agent.problem.hint
>>>>>>> main
