"""Values go into a run file's text without touching the rest of it."""

from __future__ import annotations

import pytest

from runs.spec.edit import with_values
from runs.spec.recipes import recipe_path, recipes
from runs.spec.yaml_reader import read_yaml


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes()])
def test_every_recipe_takes_every_wish(name: str) -> None:
    """What is set can be read back, everything else is as it was, and no comment is lost."""
    text = recipe_path(name).read_text(encoding="utf-8")
    wishes: dict[tuple[str, ...], str | bool | None] = {
        ("name",): "other", ("cloud",): "azure", ("machine", "spot"): True,
        ("model", "from"): "hf://a/b", ("data", "from"): "./with space.json",
    }  # fmt: skip
    changed = with_values(text, wishes)
    before, after = read_yaml(text.encode()), read_yaml(changed.encode())
    assert after.problems == []
    expected = {
        **before.values, "name": "other", "cloud": "azure", "machine": {**before.values["machine"], "spot": True},
        "model": {**before.values["model"], "from": "hf://a/b"},
        "data": {**before.values["data"], "from": "./with space.json"},
    }  # fmt: skip
    assert after.values == expected
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [comment for comment in comments if comment not in changed] == []


def test_a_section_that_is_not_there_is_added() -> None:
    """At the end, for a section; first in its section, for a key."""
    text = "name: a # mine\nmachine:\n  size: x\n"
    added = with_values(text, {("machine", "spot"): False, ("notify", "desktop"): True})
    assert added == "name: a # mine\nmachine:\n  spot: false\n  size: x\n\nnotify:\n  desktop: true\n"


@pytest.mark.parametrize("value", ["true", "null", "1e3", "a: b", "- x", "#", "", "./a", "hf://a/b@c", "ünï"])
def test_text_stays_text(value: str) -> None:
    """Whatever YAML would read into it."""
    assert read_yaml(with_values("name: a\n", {("name",): value}).encode()).values == {"name": value}
