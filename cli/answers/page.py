"""The reference page of the answers, and that of the events, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.answers.known import ANSWERS, Form
from cli.answers.schema import answer_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAM = "up"


def answers_markdown() -> str:
    """Write a section for each command that answers once."""
    return "\n".join(
        line for command, one in ANSWERS.items() if one.form is not Form.LINES for line in _answer(command)
    )


def events_markdown() -> str:
    """Write a section for each kind of event."""
    schema = answer_schema(_STREAM)
    kinds = [reference["$ref"].rsplit("/", 1)[-1] for reference in schema["anyOf"]]
    lines: list[str] = []
    for kind in kinds:
        one = schema["$defs"].pop(kind)
        lines += [
            f"## `{one['properties']['event']['const']}`\n",
            f"{one['description']}\n",
            *_table(one, schema["$defs"]),
            "",
        ]
    return "\n".join([*lines, *_definitions(schema["$defs"], "##")])


def _answer(command: str) -> Iterator[str]:
    schema = answer_schema(command)
    form, body = ANSWERS[command].form, schema.get("items", schema)
    yield f"## `llamalift {ANSWERS[command].command or command} --json`\n"
    yield f"{form.value.capitalize()}: {body.get('description', '')}\n"
    yield from _table(body, schema.get("$defs", {}))
    yield ""
    yield from _definitions(schema.get("$defs", {}), "###")


def _definitions(definitions: dict[str, Any], heading: str) -> Iterator[str]:
    for name, one in definitions.items():
        if "properties" not in one:
            continue
        yield f"{heading} {name}\n"
        yield f"{one.get('description', '')}\n"
        yield from _table(one, definitions)
        yield ""


def _table(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    yield "| key | value | meaning |"
    yield "|---|---|---|"
    for name, one in schema["properties"].items():
        meaning = str(one.get("description", "")).replace("|", "\\|")
        yield f"| `{name}` | {_value(one, definitions)} | {meaning} |"


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return _value(definitions[name], definitions) if "enum" in definitions[name] else name
    if "anyOf" in schema:
        return " or ".join(_value(branch, definitions) for branch in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{word}`" if word else "empty" for word in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        return f"list of {_value(items, definitions)}" if items else "list"
    return str(schema.get("type", "anything"))
