"""Instruction rows and the recipe's prompt, before any tokenizer sees them. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

# Stanford Alpaca's two prompts, which Llama-X uses unchanged: the answer follows the colon directly.
WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction with its answer; `input` may be empty."""

    instruction: str
    input: str
    output: str


def prompt(instruction: str, context: str = "") -> str:
    """Give the prompt of an instruction, with or without an input."""
    # Not str.format: braces in the texts are the texts' own.
    head, _, tail = (WITH_INPUT if context else WITHOUT_INPUT).partition("{instruction}")
    return head + instruction + tail.replace("{input}", context)


def read_rows(path: Path) -> list[Row]:
    """Read Alpaca rows from a JSON list or from JSON lines.

    Raises:
        DataError: When the file is missing, empty or no JSON, or a row lacks a text; rows are counted from 1.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the data: {error}") from error
    raw = _json_list(text, path) if text.lstrip().startswith("[") else _json_lines(text, path)
    if not raw:
        raise DataError(f"no rows in the data: {path}")
    return [_row(value, f"{path}, {place}") for place, value in raw]


def _json_list(text: str, path: Path) -> list[tuple[str, object]]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {path}: {error}") from error
    return [(f"row {number}", value) for number, value in enumerate(values, start=1)]


def _json_lines(text: str, path: Path) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    # Not splitlines(): it also splits at characters that JSON strings may hold.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"row {len(rows) + 1} (line {number})"
        try:
            rows.append((place, json.loads(line)))
        except json.JSONDecodeError as error:
            raise DataError(f"not JSON: {path}, {place}: {error}") from error
    return rows


def _row(value: object, place: str) -> Row:
    if not isinstance(value, dict):
        raise DataError(f"a row must be an object with instruction and output: {place}")
    texts = {}
    for key in ("instruction", "input", "output"):
        text = value.get(key)
        text = "" if text is None and key == "input" else text
        if not isinstance(text, str):
            raise DataError(f"{key} must be a text: {place}")
        texts[key] = text
    for key in ("instruction", "output"):
        if not texts[key].strip():
            raise DataError(f"{key} is empty: {place}")
    return Row(**texts)
