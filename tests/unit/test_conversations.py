"""Rows of data, in whichever form, become conversations."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import pytest

from templates.training.conversations import Turn, asked, conversation, read_conversations
from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"instruction": "Add.", "input": "1, 2", "output": "3"}


@pytest.mark.parametrize("as_lines", [False, True])
def test_both_forms_give_the_same_rows(tmp_path: Path, *, as_lines: bool) -> None:
    """A JSON list and JSON lines are read alike; an input may be missing, null or empty."""
    rows = [
        GOOD,
        {"instruction": "a\u2028b", "output": "c"},
        {"instruction": "a", "input": None, "output": "b", "id": 7},
    ]
    path = tmp_path / "data"
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"
    path.write_text(lines if as_lines else json.dumps(rows), encoding="utf-8")
    assert read_conversations(path) == [
        (Turn("user", "Add.", "1, 2"), Turn("assistant", "3")),
        (Turn("user", "a\u2028b"), Turn("assistant", "c")),
        (Turn("user", "a"), Turn("assistant", "b")),
    ]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """Files from Windows editors are read as well."""
    path = tmp_path / "data.json"
    path.write_text("\ufeff" + json.dumps([GOOD]), encoding="utf-8")
    assert len(read_conversations(path)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        ("[]", "no rows"),
        ("[{]", "not JSON"),
        (f'{json.dumps(GOOD)}\n{{"instruction":\n', r"row 2 \(line 2\)"),
        (json.dumps([GOOD, 3]), "must be an object with instruction and output, .*, row 2"),
        (json.dumps([GOOD, {"instruction": "a"}]), "output must be a text: .*, row 2"),
        (json.dumps([{**GOOD, "instruction": 5}]), "instruction must be a text: .*, row 1"),
        (json.dumps([{**GOOD, "input": ["x"]}]), "input must be a text: .*, row 1"),
        (json.dumps([GOOD, GOOD, {**GOOD, "output": "  "}]), "output is empty: .*, row 3"),
        (json.dumps([{"messages": "x"}]), "messages must be a list: .*, row 1"),
        (json.dumps([{"messages": [{"role": "user", "content": "x"}]}]), "nobody answers: .*, row 1"),
        (json.dumps([{"messages": [5]}]), "an object with role and content: .*, row 1, turn 1"),
        (json.dumps([{"conversations": [{"from": "tool", "value": "x"}]}]), "from must be one of .*, row 1, turn 1"),
        (json.dumps([{"conversations": [{"from": ["gpt"], "value": "x"}]}]), "from must be one of .*, row 1, turn 1"),
        (json.dumps([{"conversations": [{"from": "gpt", "value": "x"}]}]), "expected the user to speak, .* turn 1"),
        (json.dumps([{"messages": [{"role": "user", "content": None}]}]), "content must be a text: .*, turn 1"),
        (json.dumps([{"messages": [{"role": "user", "content": " "}]}]), "content is empty: .*, turn 1"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, content: str, message: str) -> None:
    """The error names the file and the row, counted from 1."""
    path = tmp_path / "data.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_conversations(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(DataError, match="cannot read the data"):
        read_conversations(tmp_path / "none.json")


def test_the_shipped_rows_are_good() -> None:
    """What the project ships can be trained on."""
    with as_file(files("templates") / "data" / "instructions.json") as path:
        assert len(read_conversations(path)) >= 200


SPOKEN = (Turn("system", "Be kind."), Turn("user", "Hi."), Turn("assistant", "Hello."))


@pytest.mark.parametrize(
    "row",
    [
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "Hi."},
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "Bye."},
            ]
        },
        {
            "id": "x",
            "system": "Be kind.",
            "conversations": [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello."}],
        },
    ],
)
def test_every_form_gives_the_same_conversation(row: dict[str, object]) -> None:
    """Whoever is called what, and with nothing kept of what a user said after the last answer."""
    assert conversation(row, "row 1") == SPOKEN


def test_what_is_only_asked_has_no_answer() -> None:
    """Asking gives the turns that a training row begins with."""
    assert asked("Hi.", system="Be kind.") == SPOKEN[:2]
    assert asked("Add.", "1, 2") == (Turn("user", "Add.", "1, 2"),)
