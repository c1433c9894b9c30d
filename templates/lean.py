"""Python source without what only readers need: the agent must fit into a machine's custom data."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_Span = tuple[int, int, int, int]


def lean(source: str) -> str:
    """`source` without comments and docstrings; each statement keeps its line number.

    A docstring becomes an empty string, so that a body which held nothing else stays a body.
    """
    lines = source.splitlines()
    for first, start, last, end in sorted([*_comments(source), *_docstrings(source)], reverse=True):
        before, after = lines[first - 1][:start], lines[last - 1][end:]
        left = before.rstrip() if lines[first - 1].startswith("#", start) else f'{before}""{after}'
        lines[first - 1 : last] = [left, *[""] * (last - first)]
    return "\n".join(lines) + "\n"


def _comments(source: str) -> Iterator[_Span]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield *token.start, *token.end


def _docstrings(source: str) -> Iterator[_Span]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                value = first.value
                # Columns of ast count bytes; a docstring begins after spaces and ends with its quotes.
                yield value.lineno, value.col_offset, value.end_lineno or 0, value.end_col_offset or 0
