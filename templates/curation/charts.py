"""The page's pictures, as SVG: bars, and lengths before and after. Colours come from the page's style sheet."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WIDTH = 760
_ROW, _LABEL, _FIGURE = 26, 235, 120
_HEIGHT, _FOOT = 180, 22
_MOST_LETTERS = 32


def bars(rows: Sequence[tuple[str, int]], whole: int, name: str) -> str:
    """Draw a horizontal bar for each row, with its number and its share of `whole`.

    Args:
        rows: What each bar stands for, and its length.
        whole: What a share is a share of.
        name: What the picture shows, for who cannot see it.
    """
    longest = max((count for _, count in rows), default=0) or 1
    room = _WIDTH - _LABEL - _FIGURE
    body = "".join(
        _bar(number, label, count, room * count / longest, whole) for number, (label, count) in enumerate(rows)
    )
    return _svg(_ROW * len(rows) + 4, body, name)


def _bar(number: int, label: str, count: int, width: float, whole: int) -> str:
    top = number * _ROW + 4
    share = f"{count:,} · {count / whole:.1%}" if whole else f"{count:,}"
    short = label if len(label) <= _MOST_LETTERS else f"{label[: _MOST_LETTERS - 1]}…"
    return (
        f'<text class="label" x="{_LABEL - 10}" y="{top + 13}" text-anchor="end">{escape(short)}</text>'
        f'<rect class="{"kept" if number == 0 else "gone"}" x="{_LABEL}" y="{top}" width="{max(width, 1):.1f}" '
        f'height="{_ROW - 8}" rx="3"><title>{escape(label)}: {count:,}</title></rect>'
        f'<text class="figure" x="{_LABEL + max(width, 1) + 8:.1f}" y="{top + 13}">{share}</text>'
    )


def lengths(before: Sequence[int], after: Sequence[int], name: str) -> str:
    """Draw how many rows have answers of which length; what the rules took stands behind what they left."""
    used = [number for number, count in enumerate(before) if count]
    if not used:
        return ""
    bins = range(used[0], used[-1] + 1)
    tallest = max(before)
    step = _WIDTH / len(bins)
    body = "".join(
        piece
        for place, number in enumerate(bins)
        for piece in _column(place * step, step, number, (before[number], after[number]), tallest)
    )
    line = f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
    return _svg(_HEIGHT + _FOOT, body + line, name)


def _column(left: float, step: float, number: int, counts: tuple[int, int], tallest: int) -> Iterator[str]:
    first, last = 1 << max(number - 1, 0), (1 << number) - 1
    words = f"{first:,} to {last:,} characters: {counts[0]:,} rows before, {counts[1]:,} after"
    for style, count in zip(("gone", "kept"), counts, strict=True):
        height = (_HEIGHT - 10) * count / tallest
        yield (
            f'<rect class="{style}" x="{left + 2:.1f}" y="{_HEIGHT - height:.1f}" width="{step - 4:.1f}" '
            f'height="{height:.1f}"><title>{words}</title></rect>'
        )
    yield f'<text class="tick" x="{left + step / 2:.1f}" y="{_HEIGHT + 15}" text-anchor="middle">{_short(first)}</text>'


def _short(number: int) -> str:
    return f"{number // 1024}k" if number >= 1024 else str(number)


def _svg(height: int, body: str, name: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="100%" role="img" aria-label="{escape(name, quote=True)}">'
        f"{body}</svg>"
    )
