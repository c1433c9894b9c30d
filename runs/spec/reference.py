"""The run file's documentation, written by the models themselves: the reference page, the schema, the starter.

`templates/recipes/starter.yaml` is `starter_yaml()`, kept in the tree; a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runs.spec.keys import is_list, item_of, key_of, section_of
from runs.spec.patterns import WORDS
from runs.spec.run_file import RunFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

# What the starter says where there is no default, or where the default would not show the real thing.
_STARTER_VALUES: Mapping[tuple[str, ...], object] = {
    ("name",): "my-model",
    ("cloud",): "azure",
    ("model", "from"): "hf://huggyllama/llama-7b",
    ("data", "from"): "hf://datasets/ehartford/WizardLM_alpaca_evol_instruct_70k_unfiltered/"
    "WizardLM_alpaca_evol_instruct_70k_unfiltered.json",
}

_STARTER_HEAD = """\
# A run file: what one run asks for. Every key is here with its default; delete what you do not care about.
#
#   llamalift plan run.yaml     checks it and says what the run will take; creates nothing
#   llamalift up run.yaml       rents, trains, brings the model home, deletes everything
#
# Relative paths are relative to this file. `llamalift schema` prints a JSON Schema for your editor."""

_REFERENCE_HEAD = """\
# The run file

Everything that one run asks for, in YAML. `name`, `model` and `data` must be given; all the rest has a default.
Unknown keys are refused. Relative paths are relative to the run file. Scalars follow YAML 1.2: `no` is text, `2e-5` is
a number.

Sources are a local path, or what the machine fetches itself: `hf://owner/name[@revision][/file]` for a model and
`hf://datasets/owner/name[@revision][/file]` for a data set of the Hugging Face Hub, `https://` for one file,
`az://ACCOUNT/CONTAINER/PATH` for Azure blob storage, `git+https://host/owner/name[@revision][#file]` for git with its
large files. [Where data and weights come from](../guides/data.md) says more.
"""


def run_file_schema() -> dict[str, Any]:
    """Give the run file's JSON Schema (draft 2020-12), for editors."""
    schema = RunFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "llamalift run file"}


def reference_markdown() -> str:
    """Write the reference page of the run file."""
    return "\n".join([_REFERENCE_HEAD, *_reference(RunFile, ())]).rstrip() + "\n"


def starter_yaml() -> str:
    """Write the commented starter: every key with its default and one line of explanation."""
    return "\n".join([_STARTER_HEAD, *_starter(RunFile, ())]).rstrip() + "\n"


def _reference(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[str]:
    if place:
        yield f"## `{'.'.join(place)}`\n"
        yield f"{model.__doc__}\n"
    yield from _table(model.model_fields, model)
    for name, info in model.model_fields.items():
        below = section_of(info)
        if below is not None:
            yield from _reference(below, (*place, key_of(name, info)))
        if (item := item_of(info)) is not None and below is not None:
            yield from _reference_of_item(item, below, (*place, key_of(name, info)))


def _reference_of_item(item: type[BaseModel], below: type[BaseModel], place: tuple[str, ...]) -> Iterator[str]:
    """A section that may be a list: what its items have beside the keys of the section."""
    yield f"## `{'.'.join(place)}[]`\n"
    yield f"{item.__doc__}\n"
    yield from _table({name: info for name, info in item.model_fields.items() if name not in below.model_fields}, item)


def _table(fields: Mapping[str, FieldInfo], model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema()
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, info in fields.items():
        key = key_of(name, info)
        yield f"| `{key}` | {_value_words(info, schema, key)} | {_default_words(info)} | {info.description} |"
    yield ""


def _value_words(info: FieldInfo, schema: dict[str, Any], key: str) -> str:
    below = section_of(info)
    if below is not None:
        return "list of mappings, see below" if is_list(info) else "see below"
    return _words(schema["properties"][key]).replace("|", "\\|")


def _words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_words(branch) for branch in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema.get("enum", [schema.get("const")]))
    if "pattern" in schema:
        return WORDS[schema["pattern"]]
    if schema["type"] == "array":
        return f"list; each {_words(schema['items'])}"
    return _KINDS[schema["type"]] + _bounds(schema)


_KINDS: Mapping[str, str] = {
    "boolean": "`true`, `false`",
    "integer": "whole number",
    "null": "`null`",
    "number": "number",
    "object": "mapping of text to text",
    "string": "text",
}


def _bounds(schema: dict[str, Any]) -> str:
    words = (("exclusiveMinimum", "over"), ("minimum", "from"), ("maximum", "to"))
    return "".join(f" {word} {_number(schema[key])}" for key, word in words if key in schema)


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _default_words(info: FieldInfo) -> str:
    if info.is_required():
        return "**must be given**"
    if section_of(info) is not None and not is_list(info):
        return "" if info.default_factory else f"`{_scalar(info.get_default())}`"
    return f"`{_scalar(info.get_default(call_default_factory=True))}`"


def _starter(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[str]:
    indent = "  " * len(place)
    for name, info in model.model_fields.items():
        key = key_of(name, info)
        here, below = (*place, key), section_of(info)
        if not place:
            yield ""
        yield f"{indent}# {info.description}"
        if below is None:
            default = None if info.is_required() else info.get_default(call_default_factory=True)
            yield f"{indent}{key}: {_scalar(_STARTER_VALUES.get(here, default))}"
        elif is_list(info):
            yield from _list_example(below)
            yield f"{indent}{key}: []"
        else:
            yield f"{indent}{key}:"
            yield from _starter(below, here)


def _list_example(model: type[BaseModel]) -> Iterator[str]:
    marks = ("- ", *("  " for _ in model.model_fields))
    for mark, (name, info) in zip(marks, model.model_fields.items(), strict=False):
        yield f"#   {mark}{key_of(name, info)}: {info.description}"


def _scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return f"[{', '.join(_scalar(item) for item in value)}]"
        case dict():
            return "{}"
        case _:
            return str(value)
