"""What a model scored on a task, kept beside all others, and the table that sets models side by side.

Standard errors are those of lm-evaluation-harness. Two models that answered the same questions are compared question
by question: the standard error of the mean difference is far smaller than that of either score. Standard library only.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from templates.training.checkpoints import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Score:
    """One model on one task.

    Attributes:
        model: The model's name.
        task: The task's.
        metric: The figure that counts, for example `acc_norm`.
        value: That figure.
        stderr: Its standard error; None where the harness gives none.
        shots: Examples before each question; None where its parts differ.
        questions: How many were asked.
        made_by: All that decides the score, in one word: a score that was made otherwise is made again.
        each: The figure for each question, by the question's name.
    """

    model: str
    task: str
    metric: str
    value: float
    stderr: float | None
    shots: int | None
    questions: int
    made_by: str
    each: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a model is than another on the same questions, with the standard error of that."""

    value: float
    stderr: float | None


def difference(one: Score, other: Score) -> Difference | None:
    """Compare two scores question by question; None without questions in common, or without their figures."""
    pairs = [(one.each[name], other.each[name]) for name in one.each.keys() & other.each.keys()]
    if not pairs:
        return None
    gains = [a - b for a, b in pairs]
    error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
    return Difference(statistics.fmean(gains), error)


class Scores:
    """Scores in a folder, one file for each model and task; a file is there whole, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, model: str, task: str) -> Score | None:
        """The score of a model on a task, if there is one that can be read."""
        try:
            values: dict[str, Any] = json.loads(self._path(model, task).read_text())
            return Score(**values)
        except (OSError, ValueError, TypeError):
            return None

    def write(self, score: Score) -> None:
        """Keep a score; durable when this returns."""
        path = self._path(score.model, score.task)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps(asdict(score)))

    def _path(self, model: str, task: str) -> Path:
        return self._folder / model / f"{task}.json"


def document(scores: Sequence[Score], models: Sequence[str], facts: Mapping[str, object]) -> dict[str, Any]:
    """Give all scores as plain values: by task, each model, and its difference from the first model.

    Args:
        scores: What there is.
        models: The models in the order of the table; the others are compared with the first.
        facts: What else the file says.
    """
    tasks = list(dict.fromkeys(score.task for score in scores))
    rows = [_row([score for score in scores if score.task == task], models) for task in tasks]
    return {"schema": SCHEMA, **facts, "models": list(models), "tasks": rows, "mean": _means(rows, models)}


def _row(scores: Sequence[Score], models: Sequence[str]) -> dict[str, Any]:
    by_model = {score.model: score for score in scores}
    first, any_one = by_model.get(models[0]), scores[0]
    values: dict[str, dict[str, Any]] = {}
    for name in models:
        if (score := by_model.get(name)) is None:
            continue
        values[name] = {"value": score.value, "stderr": score.stderr}
        if first is not None and score is not first and (found := difference(score, first)):
            values[name]["difference"] = asdict(found)
    same = {score.shots for score in scores} == {any_one.shots}
    return {
        "task": any_one.task, "metric": any_one.metric, "shots": any_one.shots if same else None,
        "questions": any_one.questions, "scores": values,
    }  # fmt: skip


def _means(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> dict[str, float]:
    """The mean over all tasks, for each model that has a score on all of them."""
    whole = [name for name in models if rows and all(name in row["scores"] for row in rows)]
    return {name: statistics.fmean(row["scores"][name]["value"] for row in rows) for name in whole}


def markdown(found: Mapping[str, Any]) -> str:
    """Write the table: per cent with standard errors, and behind them the difference from the first model."""
    models = found["models"]
    lines = [
        f"| task | figure | examples | questions | {' | '.join(models)} |",
        f"|---|---|---|---|{'---|' * len(models)}",
        *(_line(row, models) for row in found["tasks"]),
    ]
    if len(found["tasks"]) > 1:
        means = (f"{found['mean'][name] * 100:.2f}" if name in found["mean"] else "" for name in models)
        lines.append(f"| **mean** | | | | {' | '.join(means)} |")
    return "\n".join([*lines, "", *_words(found)]) + "\n"


def _line(row: Mapping[str, Any], models: Sequence[str]) -> str:
    shots = "" if row["shots"] is None else row["shots"]
    cells = (_cell(row["scores"].get(name)) for name in models)
    return f"| {row['task']} | {row['metric']} | {shots} | {row['questions']:,} | {' | '.join(cells)} |"


def _cell(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return ""
    text = _with_error(score["value"], score["stderr"])
    gain = score.get("difference")
    return text if gain is None else f"{text} ({_with_error(gain['value'], gain['stderr'], signed=True)})"


def _with_error(value: float, stderr: float | None, *, signed: bool = False) -> str:
    text = f"{value * 100:+.2f}" if signed else f"{value * 100:.2f}"
    return text if stderr is None or math.isnan(stderr) else f"{text} ± {stderr * 100:.2f}"


def _words(found: Mapping[str, Any]) -> Iterator[str]:
    first = found["models"][0]
    yield "Per cent ± standard error, by lm-evaluation-harness."
    if len(found["models"]) > 1:
        yield f"In brackets: the difference from {first}, taken question by question, ± its standard error."
    if found.get("limit"):
        yield f"Only the first {found['limit']:,} questions of each task were asked: not to be compared with a board's."
