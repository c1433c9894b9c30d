"""A look at a run as plain values, for scripts. The shape is told by `schema`; keys are added and never change."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from runs.thinning import thinned
from runs.training_log import FIGURES

if TYPE_CHECKING:
    from runs.status import RunStatus
    from runs.training_log import Training

SCHEMA = 1
# Curves are for a quick look; metrics.jsonl in the run's folder has every point.
_MOST_POINTS = 200


def status_json(seen: RunStatus) -> dict[str, Any]:
    """Plain values; bytes of the log are text."""
    plain = asdict(replace(seen, trainings=()))
    return {
        "schema": SCHEMA,
        **_as_text(plain),
        "trainings": [_training(training) for training in seen.trainings],
    }


def _training(training: Training) -> dict[str, Any]:
    curves = {name: thinned(training.curve(name), _MOST_POINTS) for name in FIGURES}
    return {
        "stage": training.stage,
        "total_steps": training.total_steps,
        "lost_steps": training.lost_steps,
        "rows": training.rows,
        "tokens": training.tokens,
        "newest": {name: training.newest(name) for name in FIGURES},
        "curves": {name: curve for name, curve in curves.items() if curve},
        "saves": [asdict(save) for save in training.saves],
        "starts": [asdict(start) for start in training.starts],
    }


def _as_text(value: Any) -> Any:  # noqa: ANN401 - plain values of any depth
    if isinstance(value, dict):
        return {key: _as_text(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(part) for part in value]
    # The new piece of log; a piece may begin or end within a character.
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
