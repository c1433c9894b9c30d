"""The list of runs: which of them are shown, and what of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from runs.glance import Glance, Standing
from runs.loss_sketch import LossSketch, sketch_losses
from runs.training_log import METRICS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runs.state_folder import StateFolder

ROWS = 50
# The words of the choice above the list, and what each means.
CHOICES: dict[str, frozenset[Standing]] = {
    "all": frozenset(Standing),
    "running": frozenset({Standing.NEW, Standing.RUNNING, Standing.KEPT}),
    "paused": frozenset({Standing.PAUSED}),
    "failed": frozenset({Standing.FAILED}),
    "ended": frozenset({Standing.FINISHED, Standing.DISCARDED}),
}
_SPARK_WIDTH, _SPARK_HEIGHT = 120.0, 28.0


@dataclass(frozen=True, slots=True)
class Row:
    """One run in the list; `spark` are the points of its loss curve for SVG, empty without one."""

    glance: Glance
    sketch: LossSketch
    spark: str

    @property
    def percent(self) -> float | None:
        """How far it is, or None."""
        if self.sketch.step is None or not self.sketch.total_steps:
            return None
        return 100 * min(1.0, self.sketch.step / self.sketch.total_steps)


@dataclass(frozen=True, slots=True)
class ListView:
    """One page of the list.

    Attributes:
        rows: The runs shown.
        word: What is searched for.
        choice: Of which standing they are.
        counts: How many runs each choice has.
        page: Which page, from 1.
        pages: How many there are, at least 1.
        found: Runs on all of them.
        dollars: What runs in a real cloud have cost, all of them.
        dollars_per_hour: What goes on costing there.
    """

    rows: tuple[Row, ...]
    word: str
    choice: str
    counts: dict[str, int]
    page: int
    pages: int
    found: int
    dollars: float
    dollars_per_hour: float


def list_view(glances: Sequence[Glance], state: StateFolder, *, word: str, choice: str, page: int) -> ListView:
    """The page of the list that was asked for; a page that is not there is the last one."""
    choice = choice if choice in CHOICES else "all"
    wanted = word.casefold()
    named = [one for one in glances if wanted in f"{one.line.run_id} {one.line.cloud} {one.line.stage}".casefold()]
    found = [one for one in named if one.standing in CHOICES[choice]]
    pages = max(1, -(-len(found) // ROWS))
    page = min(max(1, page), pages)
    real = [one for one in glances if one.line.cloud != "rehearsal"]
    return ListView(
        rows=tuple(_row(one, state) for one in found[(page - 1) * ROWS : page * ROWS]),
        word=word,
        choice=choice,
        counts={name: sum(one.standing in standings for one in named) for name, standings in CHOICES.items()},
        page=page,
        pages=pages,
        found=len(found),
        dollars=sum(one.dollars for one in real),
        dollars_per_hour=sum(one.dollars_per_hour for one in real),
    )


def _row(one: Glance, state: StateFolder) -> Row:
    # Not `StateFolder.run`, which makes the folder: who only looks leaves nothing behind.
    sketch = _sketch(state.root / "runs" / one.line.run_id / METRICS_FILE)
    return Row(one, sketch, spark(sketch.losses))


def _sketch(file: Path) -> LossSketch:
    try:
        about = file.stat()
    except FileNotFoundError:
        return LossSketch()
    return _known_sketch(file, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=2000)
def _known_sketch(file: Path, _size: int, _changed_ns: int) -> LossSketch:
    return sketch_losses(file)


def spark(losses: Sequence[tuple[int, float]]) -> str:
    """A curve as the points of an SVG polyline of 120 x 28; empty for fewer than two."""
    if len(losses) < 2:
        return ""
    values = [value for _, value in losses]
    low, span = min(values), (max(values) - min(values)) or 1.0
    first, steps = losses[0][0], (losses[-1][0] - losses[0][0]) or 1
    return " ".join(
        f"{(step - first) / steps * _SPARK_WIDTH:.1f},{2 + (1 - (value - low) / span) * (_SPARK_HEIGHT - 4):.1f}"
        for step, value in losses
    )
