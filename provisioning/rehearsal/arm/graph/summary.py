"""`summarize`: one row for each group of rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from provisioning.rehearsal.arm.graph.columns import read_columns
from provisioning.rehearsal.arm.graph.expressions import read_arguments
from provisioning.rehearsal.arm.graph.functions import AGGREGATES
from provisioning.rehearsal.arm.graph.problems import not_supported

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.arm.graph.reader import Reader

    Rows: TypeAlias = list[dict[str, Any]]
    Aggregate: TypeAlias = Callable[[Rows], Any]


def read_summary(reader: Reader) -> Callable[[Rows], Rows]:
    """Read `name = aggregate(expression), ... by column, ...`.

    Raises:
        ArmError: 400 with the place and what was expected.
    """
    aggregates = [_read_aggregate(reader)]
    while reader.skip(","):
        aggregates.append(_read_aggregate(reader))
    columns = read_columns(reader) if reader.skip("by") else []

    def summarize(rows: Rows) -> Rows:
        groups: dict[str, tuple[dict[str, Any], Rows]] = {}
        for row in rows:
            key = {name: value(row) for name, value in columns}
            groups.setdefault(json.dumps(key), (key, []))[1].append(row)
        return [{**key, **{name: make(group) for name, make in aggregates}} for key, group in groups.values()]

    return summarize


def _read_aggregate(reader: Reader) -> tuple[str, Aggregate]:
    named = reader.names_ahead("=")
    name = reader.name().text if named else ""
    if named:
        reader.demand("=")
    function = reader.name().text
    combine = AGGREGATES.get(function.lower())
    if combine is None:
        raise not_supported(function)
    # `count()` counts rows; the others look at a value of each.
    value = next(iter(read_arguments(reader)), lambda _row: True)
    return name or f"{function.lower()}_", lambda rows: combine([value(row) for row in rows])
