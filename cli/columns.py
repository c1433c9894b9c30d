"""Plain columns on stdout. `ls` is typed often and must start at once; a Rich table would double its time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "


def print_columns(headings: Sequence[str], rows: Sequence[Sequence[str]], *, colours: Sequence[Sequence[str]]) -> None:
    """Print rows under headings, each column as wide as its widest cell.

    Args:
        headings: One for each column.
        rows: Cells.
        colours: A colour for each cell, as `typer.style` names it; empty for none. Only a terminal sees them.
    """
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    lines = [_line(headings, widths, [""] * len(headings), bold=True)]
    lines += [_line(row, widths, tint, bold=False) for row, tint in zip(rows, colours, strict=True)]
    typer.echo("\n".join(lines), color=False if os.environ.get("NO_COLOR") else None)


def _line(cells: Sequence[str], widths: Sequence[int], colours: Sequence[str], *, bold: bool) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)] + [cells[-1]]
    return _GAP.join(
        typer.style(cell, fg=colour or None, bold=bold) if colour or bold else cell
        for cell, colour in zip(padded, colours, strict=True)
    )
