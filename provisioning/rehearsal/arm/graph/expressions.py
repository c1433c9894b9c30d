"""What stands in `where`, `project` and `extend`: read into functions of a row.

Understood: column and property paths (`properties.a.b[0].c`, `tags['x']`); strings, numbers, `true`, `false`; `==`,
`!=`, `=~`, `!~`, `<`, `<=`, `>`, `>=`, `in`, `in~`, `!in`, `!in~`, `has`, `contains`, `startswith`, `endswith` (these
last four without regard to case, as in Kusto); `and`, `or`, `not(...)`, parentheses; `tostring`, `tolower`, `toupper`,
`toint`, `todouble`, `isempty`, `isnotempty`, `isnull`, `isnotnull`, `coalesce`, `iff`, `substring`, `bag_pack`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from provisioning.rehearsal.arm.graph import functions
from provisioning.rehearsal.arm.graph.problems import not_supported, parser_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioning.rehearsal.arm.graph.reader import Reader

    Row: TypeAlias = Mapping[str, Any]
    Expression: TypeAlias = Callable[[Row], Any]

# What begins an operator cannot be the name of a column.
_RESERVED = ("where", "project", "extend", "order", "sort", "take", "limit", "union", "by")
_LISTED = {"in": False, "in~": False, "!in": True, "!in~": True}


def read_expression(reader: Reader) -> Expression:
    """Read everything up to what no expression can have.

    Raises:
        ArmError: 400 with the place and what was expected.
    """
    return _joined(reader, "or", any, lambda inner: _joined(inner, "and", all, _comparison))


def _joined(
    reader: Reader, word: str, verdict: Callable[[Any], bool], read: Callable[[Reader], Expression]
) -> Expression:
    parts = [read(reader)]
    while reader.skip(word):
        parts.append(read(reader))
    return parts[0] if len(parts) == 1 else lambda row: verdict(bool(part(row)) for part in parts)


def _comparison(reader: Reader) -> Expression:
    left = _value(reader)
    sign = reader.word.text.lower() if reader.word.kind in {"name", "sign"} else ""
    if sign in functions.COMPARISONS:
        reader.take()
        compare, right = functions.COMPARISONS[sign], _value(reader)
        return lambda row: compare(left(row), right(row))
    if sign in _LISTED:
        reader.take()
        choices, same = read_arguments(reader), functions.COMPARISONS["=~" if sign.endswith("~") else "=="]
        return lambda row: any(same(left(row), choice(row)) for choice in choices) is not _LISTED[sign]
    return left


def read_arguments(reader: Reader) -> list[Expression]:
    """Read a list in parentheses, which may be empty.

    Raises:
        ArmError: 400 with the place and what was expected.
    """
    reader.demand("(")
    found: list[Expression] = []
    while not reader.skip(")"):
        if found:
            reader.demand(",")
        found.append(read_expression(reader))
    return found


def _value(reader: Reader) -> Expression:
    word = reader.word
    if word.kind == "string":
        reader.take()
        return lambda _row: word.text
    if word.kind == "number":
        reader.take()
        number = float(word.text) if "." in word.text else int(word.text)
        return lambda _row: number
    if reader.skip("("):
        inner = read_expression(reader)
        reader.demand(")")
        return inner
    if reader.skip("true", "false"):
        return lambda _row: word.text.lower() == "true"
    return _called(reader) if reader.names_ahead("(") else _path(reader)


def _called(reader: Reader) -> Expression:
    name = reader.take()
    function = functions.FUNCTIONS.get(name.text.lower())
    if function is None:
        raise not_supported(name.text)
    arguments = read_arguments(reader)
    if not arguments:
        raise parser_failure(reader.word, "<expression>")
    return lambda row: function(*(argument(row) for argument in arguments))


def _path(reader: Reader) -> Expression:
    if reader.skip(*_RESERVED):
        raise parser_failure(reader.word, "<identifier>")
    column = reader.name().text
    steps: list[str | int] = []
    while reader.word.says(".", "["):
        steps.append(_step(reader))

    def look(row: Row) -> Any:  # noqa: ANN401 - JSON
        if column not in row:
            raise not_supported(column)
        value = row[column]
        for step in steps:
            value = _inside(value, step)
        return value

    return look


def _step(reader: Reader) -> str | int:
    if reader.skip("."):
        return reader.name().text
    reader.demand("[")
    key = reader.take()
    if key.kind not in {"string", "number"}:
        raise parser_failure(key, "']'")
    reader.demand("]")
    return int(key.text) if key.kind == "number" and re.fullmatch(r"\d+", key.text) else key.text


def _inside(value: Any, step: str | int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
