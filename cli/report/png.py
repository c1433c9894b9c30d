"""A chart as a PNG for a chat, as large as previews show it. Drawn twice as large and made smaller: smooth lines."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageDraw

    from cli.report.chart import Chart

# 1.91 to 1, what chats and link previews show uncut.
WIDTH, HEIGHT = 1200, 630
_SCALE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 40, 120, 70
_PAPER, _INK, _DIM, _GRID = "#ffffff", "#1b1f24", "#57606a", "#e3e7eb"
_LINE, _FAINT, _SAVE, _FAULT = "#0b67c2", "#a9cdf0", "#2a9d57", "#c9372c"


def png(chart: Chart, *, title: str, subtitle: str) -> bytes:
    """The picture.

    Args:
        chart: What is drawn.
        title: Its headline.
        subtitle: A line below that.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _PAPER)
    draw = ImageDraw.Draw(image)
    _words(draw, (_LEFT, 28), title, size=32, colour=_INK)
    _words(draw, (_LEFT, 72), subtitle, size=20, colour=_DIM)
    _axes(draw, chart)
    _marks(draw, chart)
    for curve in sorted(chart.curves, key=lambda one: not one.faint):
        points = [_place(x, y) for x, y in curve.points]
        colour, width = (_FAINT, _SCALE) if curve.faint else (_LINE, 2 * _SCALE)
        draw.line(points, fill=colour, width=width, joint="curve")
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def _place(x: float, y: float) -> tuple[float, float]:
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    return (_LEFT + x * wide) * _SCALE, (HEIGHT - _BOTTOM - y * high) * _SCALE


def _axes(draw: ImageDraw.ImageDraw, chart: Chart) -> None:
    for share, words in chart.y.ticks:
        draw.line([_place(0, share), _place(1, share)], fill=_GRID, width=_SCALE)
        x, y = _place(0, share)
        _words(draw, (x / _SCALE - 12, y / _SCALE), words, size=18, colour=_DIM, anchor="rm")
    for share, words in chart.x.ticks:
        x, y = _place(share, 0)
        _words(draw, (x / _SCALE, y / _SCALE + 14), words, size=18, colour=_DIM, anchor="ma")
    x, y = _place(1, 0)
    _words(draw, (x / _SCALE, y / _SCALE + 40), "step", size=18, colour=_DIM, anchor="ra")


def _marks(draw: ImageDraw.ImageDraw, chart: Chart) -> None:
    for mark in chart.marks:
        top = 1.0 if mark.kind == "fault" else 0.03
        colour = _FAULT if mark.kind == "fault" else _SAVE
        draw.line([_place(mark.at, 0), _place(mark.at, top)], fill=colour, width=_SCALE)


def _words(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, *, size: int, colour: str, anchor: str = "la"
) -> None:
    from PIL import ImageFont

    # Pillow brings its own font along: the picture is the same on every computer.
    font = ImageFont.load_default(size * _SCALE)
    draw.text((at[0] * _SCALE, at[1] * _SCALE), text, fill=colour, font=font, anchor=anchor)
