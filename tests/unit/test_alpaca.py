"""Instruction rows and the recipe's prompt."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import pytest

from templates.training.alpaca import Row, prompt, read_rows
from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"instruction": "Add.", "input": "1, 2", "output": "3"}


def test_the_prompt_without_an_input() -> None:
    """To the letter as in Stanford Alpaca and Llama-X."""
    assert prompt("Say hello.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nSay hello.\n\n### Response:"
    )


def test_the_prompt_with_an_input() -> None:
    """To the letter, with the input in its own section."""
    assert prompt("Add.", "1, 2") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
        "response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:"
    )


def test_braces_are_text() -> None:
    """Texts that look like our placeholders are not filled in."""
    assert prompt("{input} {instruction} {0}", "{instruction}").count("{instruction}") == 2
    assert "### Input:\n{instruction}\n" in prompt("a", "{instruction}")


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
    assert read_rows(path) == [Row("Add.", "1, 2", "3"), Row("a\u2028b", "", "c"), Row("a", "", "b")]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """Files from Windows editors are read as well."""
    path = tmp_path / "data.json"
    path.write_text("\ufeff" + json.dumps([GOOD]), encoding="utf-8")
    assert len(read_rows(path)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        ("[]", "no rows"),
        ("[{]", "not JSON"),
        (f'{json.dumps(GOOD)}\n{{"instruction":\n', r"row 2 \(line 2\)"),
        (json.dumps([GOOD, 3]), "must be an object with instruction and output: .*, row 2"),
        (json.dumps([GOOD, {"instruction": "a"}]), "output must be a text: .*, row 2"),
        (json.dumps([{**GOOD, "instruction": 5}]), "instruction must be a text: .*, row 1"),
        (json.dumps([{**GOOD, "input": ["x"]}]), "input must be a text: .*, row 1"),
        (json.dumps([GOOD, GOOD, {**GOOD, "output": "  "}]), "output is empty: .*, row 3"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, content: str, message: str) -> None:
    """The error names the file and the row, counted from 1."""
    path = tmp_path / "data.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_rows(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(DataError, match="cannot read the data"):
        read_rows(tmp_path / "none.json")


def test_the_shipped_rows_are_good() -> None:
    """What the project ships can be trained on."""
    with as_file(files("templates") / "data" / "instructions.json") as path:
        assert len(read_rows(path)) >= 200
