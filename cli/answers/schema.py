"""The JSON Schema of an answer: Pydantic reads the types, with what they import for type checkers alone."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields, make_dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cli.answers.known import ANSWERS, Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.answers.known import Answer

# From others nothing is taken: their types for checkers alone need not be there.
_OF_PYTHON = ("collections", "datetime", "pathlib", "typing")
_OURS = ("cli", "runs", "provisioning", "remote", "templates")
_ATTRIBUTE = re.compile(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


def answer_schema(command: str) -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of what a command prints with `--json`; `status-all` is `status` of no run.

    Every key that is described is always there, unless its description says otherwise; keys may be added.
    """
    answer = ANSWERS[command]
    schema = _of_type(answer)
    definitions = schema.pop("$defs", {})
    for one in (schema, *definitions.values()):
        _polish(one)
    body = _flat(schema, definitions, answer)
    if answer.more:
        body["properties"] |= {key: dict(value) for key, value in answer.more.items()}
    if answer.form is Form.LIST:
        body = {"type": "array", "items": body}
    title = f"llamalift {answer.command or command} --json" + (", each line" if answer.form is Form.LINES else "")
    body.pop("title", None)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, **body, **({"$defs": definitions} if definitions else {})}


def _of_type(answer: Answer) -> dict[str, Any]:
    from pydantic import TypeAdapter

    module, _, name = answer.kind.partition(":")
    kind = getattr(import_module(module), name)
    adapter: TypeAdapter[Any] = TypeAdapter(_without(kind, answer.loose) if answer.loose else kind)
    adapter.rebuild(force=True, _types_namespace=dict(_names(module, set())))
    return adapter.json_schema(mode="serialization")


def _without(kind: type[Any], names: tuple[str, ...]) -> type[Any]:
    """The same dataclass without some of its fields."""
    kept = [(one.name, one.type) for one in fields(kind) if one.name not in names]
    return make_dataclass(kind.__name__, kept, namespace={"__doc__": kind.__doc__, "__module__": kind.__module__})


def _names(module: str, seen: set[str]) -> Iterator[tuple[str, Any]]:
    """What a module and those that it imports from import for type checkers alone; its own word counts last."""
    seen.add(module)
    own = _own_names(module)
    for other in {source for source, _ in own} - seen:
        if other.partition(".")[0] in _OURS:
            yield from _names(other, seen)
    for source, name in own:
        if hasattr(import_module(source), name):
            yield name, getattr(import_module(source), name)


@cache
def _own_names(module: str) -> tuple[tuple[str, str], ...]:
    """Each name that a module imports for type checkers alone, with where from."""
    tree = ast.parse(inspect.getsource(import_module(module)))
    guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for one in guarded for node in one.body if isinstance(node, ast.ImportFrom) and node.module]
    return tuple(
        (str(node.module), name.name)
        for node in imports
        if str(node.module).partition(".")[0] in (*_OURS, *_OF_PYTHON)
        for name in node.names
    )


def _flat(schema: dict[str, Any], definitions: dict[str, Any], answer: Answer) -> dict[str, Any]:
    for name in answer.flattened:
        inner = definitions.pop(schema["properties"].pop(name)["$ref"].rsplit("/", 1)[-1])
        schema["properties"] = {**inner["properties"], **schema["properties"]}
        schema["required"] = list(schema["properties"])
    return schema


def _polish(schema: dict[str, Any]) -> None:
    """Each key with the words of its docstring and without what only repeats its name; what is printed is all there."""
    about, _, attributes = str(schema.get("description", "")).partition("\n\nAttributes:\n")
    if about:
        schema["description"] = about
    words = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}
    for name, one in schema.get("properties", {}).items():
        one.pop("title", None)
        one.pop("default", None)
        # A piece of log is text in JSON.
        one.pop("format", None)
        if name in words:
            one["description"] = re.sub(r"\bNone\b", "null", words[name])
    if "properties" in schema:
        schema["required"] = list(schema["properties"])
