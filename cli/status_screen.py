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
