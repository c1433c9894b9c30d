"""A report in words: what its page and its Markdown both say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.report.charts import saved
from cli.words import cents, clock, duration, size
from runs.types import RunState, StageState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.report import Report
    from runs.training_log import Training
    from runs.types import StageRow

# The first and the last saves tell how they came closer.
_SHOWN_SAVES = 12


@dataclass(frozen=True, slots=True)
class Lane:
    """One stage: when and how long, in words and as a bar (`left` and `width` in percent)."""

    name: str
    state: str
    began: str
    took: str
    what: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault in words."""

    at: str
    kind: str
    text: str
    ended_it: bool


def words_of(report: Report, *, now: float) -> dict[str, Any]:
    """Everything but the charts; `now` is when the report is made, in seconds since the epoch."""
    history = report.history
    return {
        "run_id": history.row.run_id,
        "headline": headline(report),
        "mood": _mood(report),
        "byline": _byline(report),
        "tiles": list(_tiles(report)),
        "lanes": list(_lanes(report, now)),
        "faults": [Trouble(clock(one.at), one.kind, one.text, one.ended_it) for one in report.faults],
        "checks": report.checks,
        "cost_words": _cost_words(report),
        "cost": list(_cost(report)),
        "cost_sum": cents(history.cost.dollars),
        "resources": list(_resources(report)),
        "commands": _commands(report),
        "facts": list(_facts(report)),
        "run_file": report.run_file.rstrip(),
        "versions": sorted(report.versions.items()),
        "llamalift": _version(),
        "made_at": clock(now),
    }


def headline(report: Report) -> str:
    """The run in one sentence without its full stop."""
    history, newest = report.history, report.history.stages[-1] if report.history.stages else None
    if history.trained is not None:
        loss = "" if history.trained.loss is None else f", loss {history.trained.loss:.3f}"
        home = ", the model is home and verified" if history.collected is not None else ", the model is not home yet"
        return f"Trained {history.trained.steps:,} steps{loss}{home}"
    if newest is not None and newest.state is StageState.FAILED:
        return f"Failed in {newest.stage}"
    if history.row.state is RunState.ENDED:
        return "Ended without a model"
    training = history.training
    if training is not None and training.points:
        return f"Training: step {int(training.columns['step'][-1]):,} of {training.total_steps or 0:,}"
    return f"In {newest.stage}" if newest is not None else "Not begun"


def _mood(report: Report) -> str:
    if report.history.collected is not None:
        return "good"
    return "bad" if any(fault.ended_it for fault in report.faults) else ""


def _byline(report: Report) -> str:
    history, decided = report.history, report.history.decided
    where = f", {report.size} in {decided.region}{' (spot)' if decided.spot else ''}" if decided else ""
    return f"{history.row.cloud}{where}, begun {clock(history.row.created_at)}"


def _tiles(report: Report) -> Iterator[tuple[str, str, str]]:
    history = report.history
    training = history.training
    if training is not None and training.points:
        curve = training.curve("loss")
        yield "loss", f"{curve[-1][1]:.3f}" if curve else "none", f"from {curve[0][1]:.3f}" if curve else ""
        yield "steps", f"{int(training.columns['step'][-1]):,}", f"of {training.total_steps or 0:,}"
        yield from _speed(training)
    if (seconds := report.train_seconds) is not None:
        share = f"{report.save_seconds / seconds:.1%} of it saving" if seconds else ""
        yield "training took", duration(seconds), share
    planned = "" if history.cost.estimate_dollars is None else f"planned {cents(history.cost.estimate_dollars)}"
    unpaid = "rehearsal: not paid" if history.row.cloud == "rehearsal" else ""
    yield "cost", cents(history.cost.dollars), ", ".join(filter(None, (planned, unpaid)))
    lost = sum(training.lost_steps for training in history.trainings)
    yield "faults", str(len(report.faults)), f"{lost} steps trained again" if lost else ""
    if history.collected is not None:
        yield "model", size(history.collected.size_bytes), history.collected.target


def _speed(training: Training) -> Iterator[tuple[str, str, str]]:
    speeds = sorted(value for _, value in training.curve("tokens_per_second"))
    if speeds:
        mfu = sorted(value for _, value in training.curve("mfu"))
        more = f"MFU {mfu[len(mfu) // 2]:.0%}" if mfu else "median"
        yield "tokens per second", f"{speeds[len(speeds) // 2]:,.0f}", more


def _lanes(report: Report, now: float) -> Iterator[Lane]:
    stages = report.history.stages
    if not stages:
        return
    begin = min(stage.started_at for stage in stages)
    span = max(max(_end(stage, now) for stage in stages) - begin, 1e-9)
    for stage in stages:
        seconds = max(0.0, _end(stage, now) - stage.started_at)
        yield Lane(
            name=stage.stage.value,
            state=stage.state.value,
            began=clock(stage.started_at),
            took=duration(seconds),
            what=stage.summary,
            left=round(100 * (stage.started_at - begin) / span, 2),
            width=round(100 * seconds / span, 2),
        )


def _end(stage: StageRow, now: float) -> float:
    return now if stage.ended_at is None else stage.ended_at


def saves_rows(training: Training) -> tuple[str, list[tuple[str, ...]]]:
    """All saves in a few words, and the first and last of them as cells of a table."""
    found = saved(training)
    if not found:
        return "", []
    seconds = sum(save.seconds for save in found)
    words = f"{len(found)} complete checkpoints, {duration(seconds)} in all"
    rows: list[tuple[str, ...]] = [
        (f"{save.step:,}", clock(save.at), f"{save.seconds:.1f} s", size(save.size_bytes)) for save in found
    ]
    if len(rows) > 2 * _SHOWN_SAVES:
        rows = [*rows[:_SHOWN_SAVES], ("...", "", "", ""), *rows[-_SHOWN_SAVES:]]
    return words, rows


def _cost_words(report: Report) -> str:
    cost = report.history.cost
    words = f"{report.receipt.cost_words}." if report.receipt.resources else "Nothing was rented."
    words = words[0].upper() + words[1:]
    if cost.estimate_dollars is not None:
        over = cost.dollars - cost.estimate_dollars
        more_or_less = f"{cents(abs(over))} {'more' if over > 0 else 'less'}"
        words += f" The plan said {cents(cost.estimate_dollars)}: it was {more_or_less}."
    return words + (f" {report.receipt.evictions}." if report.receipt.evictions else "")


def _cost(report: Report) -> Iterator[tuple[str, ...]]:
    for line in report.history.cost.lines:
        by_hour = (f"{line.hours:.2f}", cents(line.dollars_per_hour)) if line.dollars_per_hour else ("", "")
        yield (str(line.component), line.detail, *by_hour, cents(line.dollars))


def _resources(report: Report) -> Iterator[tuple[str, ...]]:
    for line in report.receipt.resources:
        made = clock(line.created_at) if line.created_at else ""
        gone = f"404 at {clock(line.confirmed_gone_at)}" if line.confirmed_gone_at else line.why_left or "not confirmed"
        yield line.kind, line.name, made, gone


def _commands(report: Report) -> str:
    name = Path(report.history.row.run_file).name or "run.yaml"
    return f"llamalift plan {name}\nllamalift up {name}"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    history = report.history
    yield "run file", f"SHA-256 {history.row.spec_sha256}"
    if history.decided is not None:
        yield "machine", f"{history.decided.size}, {history.decided.region}, image {history.decided.image}"
    for training in history.trainings:
        if training.rows is not None:
            of = f" of {training.stage}" if training.stage else ""
            yield f"data{of}", f"{training.rows:,} rows, {training.tokens or 0:,} tokens"
    if history.collected is not None:
        yield "model", f"manifest SHA-256 {history.collected.manifest_sha256}"
    for name in ("base_parameters", "parameters"):
        if isinstance(value := report.model.get(name), int):
            yield name.replace("_", " "), f"{value:,}"


def _version() -> str:
    from importlib.metadata import version

    return version("llamalift")
