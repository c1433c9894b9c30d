"""A chart as HTML that needs no script: the plot is an SVG as wide as the page, words stay as large as they are.

Colours come from the page's style (`--line`, `--faint`, `--save`, `--fault`, `--grid`), so that light and dark are one
drawing.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.report.chart import Chart, Curve, Mark

# The plot's own units; it is stretched to its place, and its lines are not.
_SIZE = 1000


def figure(chart: Chart) -> str:
    """The chart with its title, axes and marks."""
    rows = "".join(f'<span style="bottom:{100 * share:.2f}%">{escape(words)}</span>' for share, words in chart.y.ticks)
    columns = "".join(f'<span style="left:{100 * share:.2f}%">{escape(words)}</span>' for share, words in chart.x.ticks)
    legend = "".join(
        f'<span class="{"faint" if one.faint else "line"}">{escape(one.name)}</span>'
        for one in chart.curves
        if len(chart.curves) > 1
    )
    kinds = dict.fromkeys(mark.kind for mark in chart.marks)
    legend += "".join(f'<span class="{kind}">{_KINDS[kind]}</span>' for kind in kinds)
    return (
        f'<figure><figcaption><b>{escape(chart.title)}</b><span class="legend">{legend}</span></figcaption>'
        f'<div class="chart"><div class="y">{rows}</div>{_plot(chart)}<div class="x">{columns}</div></div></figure>'
    )


_KINDS = {"save": "saved", "fault": "restart"}


def _plot(chart: Chart) -> str:
    grid = "".join(
        f'<line class="grid" x1="0" x2="{_SIZE}" y1="{_y(share)}" y2="{_y(share)}"/>' for share, _ in chart.y.ticks
    )
    return (
        f'<svg role="img" aria-label="{escape(chart.words)}" viewBox="0 0 {_SIZE} {_SIZE}" preserveAspectRatio="none">'
        f"{grid}{''.join(map(_mark, chart.marks))}{''.join(map(_line, chart.curves))}</svg>"
    )


def _mark(mark: Mark) -> str:
    x, top = f"{_SIZE * mark.at:.1f}", 0 if mark.kind == "fault" else round(_SIZE * 0.94)
    words = f"<title>{escape(mark.words)}</title>"
    return f'<line class="{mark.kind}" x1="{x}" x2="{x}" y1="{top}" y2="{_SIZE}">{words}</line>'


def _line(curve: Curve) -> str:
    points = " ".join(f"{_SIZE * x:.1f},{_y(y)}" for x, y in curve.points)
    return f'<polyline class="{"faint" if curve.faint else "line"}" points="{points}"/>'


def _y(share: float) -> str:
    return f"{_SIZE * (1 - share):.1f}"
