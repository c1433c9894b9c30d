"""Kusto's comparisons and functions, on JSON values. What is missing is null, and null is equal to nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _number(value: Any) -> float | None:  # noqa: ANN401 - JSON
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _whole(value: Any) -> int | None:  # noqa: ANN401 - JSON
    number = _number(value)
    return None if number is None else int(number)


def _same(left: Any, right: Any) -> bool:  # noqa: ANN401 - JSON
    return left is not None and right is not None and bool(left == right)


def _alike(left: Any, right: Any) -> bool:  # noqa: ANN401 - JSON
    return left is not None and right is not None and _text(left).lower() == _text(right).lower()


def _has_term(left: Any, right: Any) -> bool:  # noqa: ANN401 - JSON
    """Kusto's terms are runs of letters and digits."""
    return re.search(rf"(?<![0-9a-z]){re.escape(_text(right).lower())}(?![0-9a-z])", _text(left).lower()) is not None


def _ordered(decide: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:  # noqa: ANN401 - JSON
        both_numbers = isinstance(left, int | float) and isinstance(right, int | float)
        return (both_numbers or (isinstance(left, str) and isinstance(right, str))) and decide(left, right)

    return compare


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": _same,
    "!=": lambda left, right: not _same(left, right),
    "=~": _alike,
    "!~": lambda left, right: not _alike(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "has": _has_term,
    "contains": lambda left, right: _text(right).lower() in _text(left).lower(),
    "startswith": lambda left, right: _text(left).lower().startswith(_text(right).lower()),
    "endswith": lambda left, right: _text(left).lower().endswith(_text(right).lower()),
}

# What `summarize` makes of the values of a group of rows. `make_list` leaves nulls out.
AGGREGATES: Mapping[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "make_list": lambda values: [value for value in values if value is not None],
    "min": lambda values: min((value for value in values if value is not None), default=None),
    "max": lambda values: max((value for value in values if value is not None), default=None),
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tostring": _text,
    "tolower": lambda value: _text(value).lower(),
    "toupper": lambda value: _text(value).upper(),
    "toint": _whole,
    "todouble": _number,
    "isempty": lambda value: _text(value) == "",
    "isnotempty": lambda value: _text(value) != "",
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "not": lambda value: not value,
    "iff": lambda condition, then, otherwise: then if condition else otherwise,
    "substring": lambda text, start, length=None: _text(text)[start : None if length is None else start + length],
    "bag_pack": lambda *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True)),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
}
