"""The loss of a training as a picture: one SVG file, no library. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Curves = Mapping[str, Sequence[tuple[int, float]]]

_WIDTH, _HEIGHT = 720, 320
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 34, 16, 40
# Okabe and Ito's colours, told apart by everybody.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MOST_POINTS = 600


def curves(lines: Iterable[str], only: str) -> dict[str, list[tuple[int, float]]]:
    """Read the losses of each stage from the lines of metrics.jsonl; a step that was trained again counts last.

    Args:
        lines: What the trainer wrote.
        only: What a run without stages calls its curve.
    """
    found: dict[str, dict[int, float]] = {}
    stage = only
    for line in lines:
        event = _event(line)
        if event.get("event") == "stage" and event.get("of") != 1:
            stage = str(event["name"])
        step, loss = event.get("step"), event.get("loss")
        if event.get("event") == "step" and isinstance(step, int) and isinstance(loss, int | float):
            found.setdefault(stage, {})[step] = float(loss)
    return {name: sorted(points.items()) for name, points in found.items()}


def draw(found: Curves) -> str:
    """Draw the curves, one after the other as they were trained; empty without any."""
    points = [point for one in found.values() for point in one]
    if not points:
        return ""
    total = sum(max(step for step, _ in one) for one in found.values())
    low, high = min(loss for _, loss in points), max(loss for _, loss in points)
    drawn = [*_frame(low, high, total), *_drawn(found, low, (high - low) or 1.0, total)]
    return "\n".join([*drawn, "</svg>", ""])


def _drawn(found: Curves, low: float, span: float, total: int) -> Iterator[str]:
    before = 0
    for number, (name, points) in enumerate(found.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [(_x(before + step, total), _y(loss, low, span)) for step, loss in _thinned(points)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{line}"/>'
        yield f'<text x="{placed[0][0] + 4:.1f}" y="{_TOP - 10}" fill="{colour}">{_safe(name)}</text>'
        before += max(step for step, _ in points)
        if before < total:
            x = _x(before, total)
            yield f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}" stroke="#bbbbbb"/>'


def _frame(low: float, high: float, total: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="Training loss by step">'
    )
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        loss = low + share * (high - low)
        y = _y(loss, low, (high - low) or 1.0)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#e5e5e5"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{loss:.2f}</text>'
        x = _x(round(share * total), total)
        yield (
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle" fill="#555555">'
            f"{round(share * total):,}</text>"
        )
    yield f'<text x="8" y="{_TOP - 10}" fill="#555555">loss</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle" fill="#555555">optimizer steps</text>'


def _x(step: int, total: int) -> float:
    return _LEFT + step / max(1, total) * (_WIDTH - _LEFT - _RIGHT)


def _y(loss: float, low: float, span: float) -> float:
    return _TOP + (1 - (loss - low) / span) * (_HEIGHT - _TOP - _BOTTOM)


def _thinned(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    every = -(-len(points) // _MOST_POINTS)
    return points if every <= 1 else [*points[:-1:every], points[-1]]


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _event(line: str) -> dict[str, object]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
