"""Puts values into the text of a run file and leaves everything else as it is, comments included."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

# Text that YAML 1.2 reads as itself without quotes.
_PLAIN = re.compile(r"(?!(?:true|false|null)$)[A-Za-z./][A-Za-z0-9_./:@+-]*[A-Za-z0-9_./@+-]|[A-Za-z]")
_Value = str | bool | None


def with_values(text: str, values: Mapping[tuple[str, ...], _Value]) -> str:
    """Give the text with each place set to its value; a key that is not there goes first into its section.

    Args:
        text: A run file of ours: block mappings, one key a line.
        values: What to set, by its place: `("machine", "spot")`.
    """
    for place, value in values.items():
        text = _with_value(text, place, value)
    return text


def _with_value(text: str, place: tuple[str, ...], value: _Value) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None  # noqa: S101 - a recipe is not empty
    for depth, key in enumerate(place):
        found = _child(node, key)
        if found is None:
            return _inserted(text, node, place[depth:], value)
        node = found
    return text[: node.start_mark.index] + _scalar(value) + text[node.end_mark.index :]


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _inserted(text: str, section: yaml.Node, keys: tuple[str, ...], value: _Value) -> str:
    indent = " " * section.start_mark.column
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(keys)]
    new = "\n".join(f"{indent}{line}" for line in lines) + f" {_scalar(value)}\n"
    if not indent:
        return f"{text.rstrip()}\n\n{new}"
    start = section.start_mark.index - len(indent)
    return text[:start] + new + text[start:]


def _scalar(value: _Value) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value)
    return json.dumps(value)
