"""The columns that `project`, `extend` and `summarize ... by` name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.graph.expressions import read_expression

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.graph.expressions import Expression
    from provisioning.rehearsal.arm.graph.reader import Reader


def read_columns(reader: Reader) -> list[tuple[str, Expression]]:
    """Read columns, each an expression with or without a name before it.

    Raises:
        ArmError: 400 with the place and what was expected.
    """
    columns = [_read_column(reader)]
    while reader.skip(","):
        columns.append(_read_column(reader))
    return columns


def _read_column(reader: Reader) -> tuple[str, Expression]:
    named = reader.names_ahead("=")
    # A path without a name of its own gets one: `properties.a.b` is called `properties_a_b`.
    name = reader.name().text if named else ""
    if named:
        reader.demand("=")
        return name, read_expression(reader)
    start = reader.position
    value = read_expression(reader)
    return "_".join(word.text for word in reader.since(start) if word.kind != "sign"), value
