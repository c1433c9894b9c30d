"""Bars of text, for shares of one: they read the same without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_FULL, _EMPTY = "█", "░"


def bar(share: float, *, width: int, style: str = "cyan") -> Text:
    """`share` of `width` blocks, at least one for anything above nothing."""
    from rich.text import Text

    part = min(max(share, 0.0), 1.0)
    full = min(width, max(int(part > 0), round(part * width)))
    return Text.assemble((_FULL * full, style), (_EMPTY * (width - full), "bright_black"))


def alarm_style(share: float) -> str:
    """Green, yellow from three quarters on, red from nine tenths on: for what must not become full."""
    return "red" if share >= 0.9 else "yellow" if share >= 0.75 else "green"
