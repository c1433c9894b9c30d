"""Print runs/spec/training_arguments.json anew. Run it with the machine's Python: it imports Transformers."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from typing import Any

import transformers

_KINDS = {bool: "bool", int: "int", float: "float", str: "text", list: "list", dict: "mapping", type(None): ""}


def kinds(hint: Any) -> set[str]:  # noqa: ANN401 (a type hint may be anything)
    """The kinds of value that a type hint takes, in the words of runs/spec/flags.py; other classes read as mappings."""
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        return set().union(*map(kinds, typing.get_args(hint)))
    if origin is typing.Literal:
        return {_KINDS[type(choice)] for choice in typing.get_args(hint)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"text"}
    return {_KINDS.get(origin or hint, "mapping")}


def main() -> None:
    """Print the list."""
    hints = typing.get_type_hints(transformers.TrainingArguments)
    names = sorted(field.name for field in dataclasses.fields(transformers.TrainingArguments))
    lines = [f"    {json.dumps(name)}: {json.dumps(sorted(kinds(hints[name]) - {''}))}" for name in names]
    source = f'  "source": "transformers {transformers.__version__}",'
    print("\n".join(["{", source, '  "arguments": {', ",\n".join(lines), "  }", "}"]))  # noqa: T201


if __name__ == "__main__":
    main()
