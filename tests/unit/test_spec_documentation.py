"""The models, the starter, the schema and the reference page say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs.spec.flags import OUR_FLAGS, known_flags
from runs.spec.keys import key_of, section_of
from runs.spec.load import load_run_file
from runs.spec.recipes import recipe_path
from runs.spec.reference import reference_markdown, run_file_schema, starter_yaml
from runs.spec.run_file import RunFile
from runs.spec.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

STARTER = recipe_path("starter")

# Where the starter says something else than the default, on purpose.
SHOWN_OTHERWISE = {("name",), ("cloud",), ("model", "from"), ("data", "from")}


def fields(
    model: type[BaseModel] = RunFile, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every field of the run file with its place; a list's items count as below the list."""
    for name, info in model.model_fields.items():
        place = (*above, key_of(name, info))
        yield place, info
        below = section_of(info)
        if below is not None:
            yield from fields(below, place)


FIELDS = dict(fields())
IDS = [".".join(place) for place in FIELDS]


def test_the_starter_is_the_one_that_the_models_write() -> None:
    """The shipped starter is up to date: `starter_yaml()` writes it byte for byte."""
    assert STARTER.read_text(encoding="utf-8") == starter_yaml()


def test_the_starter_is_a_run_file() -> None:
    """It loads as it is."""
    assert load_run_file(STARTER).spec.name == "my-model"


@pytest.mark.parametrize("place", FIELDS, ids=IDS)
def test_every_field_is_in_the_starter_with_its_default_and_its_explanation(place: tuple[str, ...]) -> None:
    """Nobody needs another page to know what there is."""
    info = FIELDS[place]
    text = STARTER.read_text(encoding="utf-8")
    if place[0] == "sync" and len(place) > 1:
        assert f"{place[-1]}: {info.description}" in text
        return
    assert f"# {info.description}\n" in text
    value = read_yaml(text.encode()).values
    for key in place:
        value = value[key]
    if section_of(info) is None and place not in SHOWN_OTHERWISE:
        default = info.get_default(call_default_factory=True)
        assert value == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("place", FIELDS, ids=IDS)
def test_every_field_is_in_the_schema_with_its_explanation(place: tuple[str, ...]) -> None:
    """Editors show what the reference page says."""
    schema = run_file_schema()
    node = _at(schema, place)
    # Pydantic leaves it to the section when that has the same words.
    assert node.get("description", _resolved(schema, node).get("description")) == FIELDS[place].description


@pytest.mark.parametrize("place", FIELDS, ids=IDS)
def test_every_field_is_on_the_reference_page(place: tuple[str, ...]) -> None:
    """The page has a row for it, below the heading of its section."""
    page = reference_markdown()
    section = page.split(f"## `{'.'.join(place[:-1])}`\n")[1] if place[:-1] else page
    row = next(line for line in section.splitlines() if line.startswith(f"| `{place[-1]}` |"))
    assert str(FIELDS[place].description) in row


@pytest.mark.parametrize("place", FIELDS, ids=IDS)
def test_every_explanation_is_one_sentence_line(place: tuple[str, ...]) -> None:
    """One line that ends with a full stop, and short enough to be a comment."""
    description = FIELDS[place].description
    assert description is not None
    assert description.endswith(".")
    assert len(description) <= 116


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    """An editor underlines what the loader would refuse."""
    schema = run_file_schema()
    sections = [schema, *schema["$defs"].values()]
    assert [section["title"] for section in sections if section.get("additionalProperties") is not False] == []


def test_the_schema_knows_the_trainers_further_flags() -> None:
    """Flags beyond the documented ones are offered, those that are ours are not."""
    train = run_file_schema()["$defs"]["Train"]["properties"]
    assert train["weight_decay"]["type"] == ["number", "null"]
    assert known_flags().keys() - OUR_FLAGS.keys() <= train.keys()
    assert not OUR_FLAGS.keys() & train.keys()


def _at(schema: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    node = schema
    for key in place:
        node = _resolved(schema, node)["properties"][key]
    return node


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    # Of a section that may be a list as well, the section: a stage has its keys, too.
    node = next((kind for kind in node.get("anyOf", []) if "$ref" in kind), node)
    reference = node.get("$ref") or node.get("items", {}).get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else node
