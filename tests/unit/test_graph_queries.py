"""The part of the Kusto Query Language that the rehearsal cloud understands."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.graph.query import run_query

_MACHINE, _DISK = "microsoft.compute/virtualmachines", "microsoft.compute/disks"
_ROWS: list[dict[str, Any]] = [
    {
        "id": "/1",
        "name": "vm",
        "type": _MACHINE,
        "tags": {"x": "One"},
        "properties": {"cores": 96, "p": [{"usd": "2.5"}]},
    },
    {"id": "/2", "name": "disk-a", "type": _DISK, "tags": {"x": "one", "y": ""}, "properties": {"cores": None}},
    {"id": "/3", "name": "disk-b", "type": _DISK, "tags": None, "properties": {"cores": 8}},
]
_GROUPS: list[dict[str, Any]] = [{"id": "/4", "name": "group", "type": "group", "tags": {"x": "two"}}]


def _run(text: str) -> list[dict[str, Any]]:
    return run_query(text, {"resources": lambda: _ROWS, "resourcecontainers": lambda: _GROUPS})


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("type =~ 'Microsoft.Compute/disks'", ["disk-a", "disk-b"]),
        ("type == 'Microsoft.Compute/disks'", []),
        ("tags['x'] == 'one'", ["disk-a"]),
        ('tags.x =~ "one"', ["vm", "disk-a"]),
        ("name in~ ('VM', 'disk-b')", ["vm", "disk-b"]),
        ("name !in ('vm', 'disk-b')", ["disk-a"]),
        ("name has 'a' or name has 'v'", ["disk-a"]),
        ("name contains 'SK-'", ["disk-a", "disk-b"]),
        ("isnotempty(tags['x'])", ["vm", "disk-a"]),
        ("isempty(tags.y) and not(isnull(properties.cores))", ["vm", "disk-b"]),
        ("properties.cores >= 8 and (name startswith 'd' or false)", ["disk-b"]),
        ("todouble(properties.p[0].usd) > 2", ["vm"]),
        ("name != 'vm' // not the machine", ["disk-a", "disk-b"]),
    ],
)
def test_where_lets_through_what_kusto_would(condition: str, names: list[str]) -> None:
    """Case, missing values, terms and numbers as Kusto has them."""
    assert [row["name"] for row in _run(f"Resources | where {condition}")] == names


def test_columns_are_chosen_named_and_computed() -> None:
    """A path without a name of its own is called after its steps, as Kusto does."""
    rows = _run("Resources | take 1 | project id, properties.cores, usd = todouble(properties.p[0].usd), tags['x']")
    assert rows == [{"id": "/1", "properties_cores": 96, "usd": 2.5, "tags_x": "One"}]
    assert _run("resources | extend short = tolower(tags.x) | where short == 'one' | limit 9 | project short") == [
        {"short": "one"},
        {"short": "one"},
    ]


def test_rows_are_ordered_and_joined() -> None:
    """Descending unless `asc` is said; a union fills what one side has not."""
    assert [row["id"] for row in _run("Resources | order by type asc, name desc")] == ["/3", "/2", "/1"]
    assert [row["id"] for row in _run("sort by id | take 2")] == ["/3", "/2"]
    text = (
        "Resources | where name == 'vm' | union (ResourceContainers | where tags.x == 'two') | project id, properties"
    )
    assert _run(text) == [{"id": "/1", "properties": _ROWS[0]["properties"]}, {"id": "/4", "properties": None}]


def test_rows_are_summarized() -> None:
    """One row for each group, in the order in which the groups appear."""
    text = "Resources | summarize n = count(), names = make_list(bag_pack('name', name)) by kind = substring(type, 18)"
    assert _run(text) == [
        {"kind": "virtualmachines", "n": 1, "names": [{"name": "vm"}]},
        {"kind": "disks", "n": 2, "names": [{"name": "disk-a"}, {"name": "disk-b"}]},
    ]
    assert _run("Resources | summarize count(), max(properties.cores)") == [{"count_": 3, "max_": 96}]
    assert _run("Resources | take 1 | project big = iff(properties.cores > 9, 'yes', 'no')") == [{"big": "yes"}]


@pytest.mark.parametrize(
    ("text", "column", "token"),
    [
        ("project id, location | where where", 34, "<EOF>"),
        ("Resources | where type == ", 26, "<EOF>"),
        ("Resources where", 10, "where"),
        ("Resources | take many", 17, "many"),
        ("Resources | where name in ('a' 'b')", 31, "b"),
        ("Resources | where (name == 'a'", 30, "<EOF>"),
        ("Resources | where tags[x] == 'a'", 23, "x"),
        ("Resources | where name == ^", 26, "^"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, column: int, token: str) -> None:
    """The first is a query that Azure refused, with the place that Azure named."""
    with pytest.raises(ArmError) as caught:
        _run(text)
    assert (caught.value.status, caught.value.code) == (400, "BadRequest")
    invalid, failure = caught.value.details or []
    assert (invalid["code"], failure["code"]) == ("InvalidQuery", "ParserFailure")
    assert (failure["line"], failure["characterPositionInLine"], failure["token"]) == (1, column, token)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Nothing | take 1", "Nothing"),
        ("Resources | join (Resources) on id", "join"),
        ("Resources | summarize percentile(name)", "percentile"),
        ("Resources | where strlen(name) > 1", "strlen"),
        ("Resources | project colour", "colour"),
    ],
)
def test_what_it_does_not_have_is_refused_by_name(text: str, token: str) -> None:
    """Tables, operators, functions and columns."""
    with pytest.raises(ArmError) as caught:
        _run(text)
    assert [each["code"] for each in caught.value.details or []] == ["InvalidQuery", "InvalidQueryLanguage"]
    assert (caught.value.details or [])[1]["token"] == token
