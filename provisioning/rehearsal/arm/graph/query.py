"""A whole query: a table, then operators, each taking the rows that the one before it left.

Understood: `where`, `project`, `extend`, `order by` and `sort by` (`asc`, `desc`; like Kusto, descending when neither
is said), `take` and `limit`, `union` with tables and with queries in parentheses, `summarize` with `count`,
`make_list`, `min`, `max`. A query may begin with an operator; it is then about `Resources`. Anything else is answered
as Resource Graph answers what it does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from provisioning.rehearsal.arm.graph.columns import read_columns
from provisioning.rehearsal.arm.graph.expressions import read_expression
from provisioning.rehearsal.arm.graph.problems import not_supported, parser_failure
from provisioning.rehearsal.arm.graph.reader import Reader
from provisioning.rehearsal.arm.graph.summary import read_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioning.rehearsal.arm.graph.expressions import Expression

    Rows: TypeAlias = list[dict[str, Any]]
    Tables: TypeAlias = Mapping[str, Callable[[], Rows]]
    Operator: TypeAlias = Callable[[Rows], Rows]

_DEFAULT_TABLE = "resources"


def run_query(text: str, tables: Tables) -> Rows:
    """The rows that `text` asks for.

    Args:
        text: The query.
        tables: What gives the rows of each table, by lower-case name.

    Raises:
        ArmError: 400 InvalidQuery with the place and what was expected there.
    """
    reader = Reader(text)
    source = _read_query(reader, tables)
    if reader.word.kind != "end":
        raise parser_failure(reader.word, "<EOF>")
    return source()


def _read_query(reader: Reader, tables: Tables) -> Callable[[], Rows]:
    table = tables[_DEFAULT_TABLE]
    operators: list[Operator] = []
    if reader.word.says(*_OPERATORS):
        operators.append(_read_operator(reader, tables))
    else:
        table = _read_table(reader, tables)
    while reader.skip("|"):
        operators.append(_read_operator(reader, tables))

    def rows() -> Rows:
        current = table()
        for operator in operators:
            current = operator(current)
        return current

    return rows


def _read_table(reader: Reader, tables: Tables) -> Callable[[], Rows]:
    name = reader.name().text
    if name.lower() not in tables:
        raise not_supported(name)
    return tables[name.lower()]


def _read_operator(reader: Reader, tables: Tables) -> Operator:
    name = reader.name()
    if name.text.lower() not in _OPERATORS:
        raise not_supported(name.text)
    return _OPERATORS[name.text.lower()](reader, tables)


def _where(reader: Reader, _tables: Tables) -> Operator:
    condition = read_expression(reader)
    return lambda rows: [row for row in rows if condition(row)]


def _project(reader: Reader, _tables: Tables) -> Operator:
    columns = read_columns(reader)
    return lambda rows: [{name: value(row) for name, value in columns} for row in rows]


def _extend(reader: Reader, _tables: Tables) -> Operator:
    columns = read_columns(reader)
    return lambda rows: [{**row, **{name: value(row) for name, value in columns}} for row in rows]


def _summarize(reader: Reader, _tables: Tables) -> Operator:
    return read_summary(reader)


def _order(reader: Reader, _tables: Tables) -> Operator:
    reader.demand("by")
    keys = [_read_key(reader)]
    while reader.skip(","):
        keys.append(_read_key(reader))

    def sort(rows: Rows) -> Rows:
        for value, is_ascending in reversed(keys):
            ranks = [_rank(value(row)) for row in rows]
            places = sorted(range(len(rows)), key=ranks.__getitem__, reverse=not is_ascending)
            rows = [rows[place] for place in places]
        return rows

    return sort


def _read_key(reader: Reader) -> tuple[Expression, bool]:
    value = read_expression(reader)
    is_ascending = reader.word.says("asc")
    reader.skip("asc", "desc")
    return value, is_ascending


def _rank(value: Any) -> tuple[int, float, str]:  # noqa: ANN401 - JSON
    """Nulls first, then numbers, then everything else as text."""
    if value is None:
        return 0, 0.0, ""
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))


def _take(reader: Reader, _tables: Tables) -> Operator:
    number = reader.take()
    if number.kind != "number" or "." in number.text:
        raise parser_failure(number, "<integer>")
    return lambda rows: rows[: int(number.text)]


def _union(reader: Reader, tables: Tables) -> Operator:
    others = [_read_member(reader, tables)]
    while reader.skip(","):
        others.append(_read_member(reader, tables))

    def join(rows: Rows) -> Rows:
        found = [*rows, *(row for other in others for row in other())]
        columns = dict.fromkeys(name for row in found for name in row)
        return [{name: row.get(name) for name in columns} for row in found]

    return join


def _read_member(reader: Reader, tables: Tables) -> Callable[[], Rows]:
    if not reader.skip("("):
        return _read_table(reader, tables)
    inner = _read_query(reader, tables)
    reader.demand(")")
    return inner


_OPERATORS: Mapping[str, Callable[[Reader, Tables], Operator]] = {
    "where": _where,
    "project": _project,
    "extend": _extend,
    "order": _order,
    "sort": _order,
    "take": _take,
    "limit": _take,
    "union": _union,
    "summarize": _summarize,
}
