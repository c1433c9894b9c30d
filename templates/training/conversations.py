"""Rows of data as conversations, whichever of the three usual forms they have. Standard library only.

Alpaca (`instruction`, `input`, `output`), ShareGPT (`conversations` of `from` and `value`) and OpenAI's (`messages` of
`role` and `content`) may even be mixed in one file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["system", "user", "assistant"]

_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
# Each form's list, and what its entries call the speaker and the text.
_LISTS = {"messages": ("role", "content"), "conversations": ("from", "value")}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says.

    Attributes:
        role: Who says it.
        text: What is said.
        context: Alpaca's `input`, which belongs to an instruction; mostly empty.
    """

    role: Role
    text: str
    context: str = ""


Conversation = tuple[Turn, ...]


def asked(instruction: str, context: str = "", system: str = "") -> Conversation:
    """Give the conversation in which one thing was asked and nothing answered yet."""
    return (*([Turn("system", system)] if system else []), Turn("user", instruction, context))


def read_conversations(path: Path) -> list[Conversation]:
    """Read conversations from a JSON list or from JSON lines.

    Each begins with a system turn or not, goes on with user and assistant by turns, and ends with an answer; what a
    user says after the last answer is left out, since nothing can be learnt from it.

    Raises:
        DataError: When the file is missing, empty or no JSON, or a row is no conversation; rows are counted from 1.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the data: {error}") from error
    raw = _json_list(text, path) if text.lstrip().startswith("[") else _json_lines(text, path)
    if not raw:
        raise DataError(f"no rows in the data: {path}")
    return [conversation(value, f"{path}, {place}") for place, value in raw]


def conversation(row: object, place: str) -> Conversation:
    """Give a row's conversation.

    Args:
        row: The row as JSON has it.
        place: Where it is, for the error.

    Raises:
        DataError: It is none of the three forms, or nothing can be learnt from it.
    """
    if not isinstance(row, dict):
        raise DataError(f"a row must be an object with instruction and output, messages or conversations: {place}")
    name = next((name for name in _LISTS if name in row), None)
    return _instruction(row, place) if name is None else _turns(row, name, place)


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


def _instruction(row: dict[str, object], place: str) -> Conversation:
    texts = {}
    for key in ("instruction", "input", "output"):
        text = row.get(key)
        text = "" if text is None and key == "input" else text
        if not isinstance(text, str):
            raise DataError(f"{key} must be a text: {place}")
        texts[key] = text
    for key in ("instruction", "output"):
        if not texts[key].strip():
            raise DataError(f"{key} is empty: {place}")
    return (Turn("user", texts["instruction"], texts["input"]), Turn("assistant", texts["output"]))


def _turns(row: dict[str, object], name: str, place: str) -> Conversation:
    entries = row[name]
    if not isinstance(entries, list):
        raise DataError(f"{name} must be a list: {place}")
    turns = [_turn(entry, name, f"{place}, turn {number}") for number, entry in enumerate(entries, start=1)]
    system = row.get("system")
    if isinstance(system, str) and system and (not turns or turns[0].role != "system"):
        turns.insert(0, Turn("system", system))
    while turns and turns[-1].role != "assistant":
        turns.pop()
    if not turns:
        raise DataError(f"nobody answers: {place}")
    _check_order(turns, place)
    return tuple(turns)


def _turn(entry: object, name: str, place: str) -> Turn:
    speaker, said = _LISTS[name]
    if not isinstance(entry, dict):
        raise DataError(f"a turn must be an object with {speaker} and {said}: {place}")
    who, text = entry.get(speaker), entry.get(said)
    role = _ROLES.get(who) if isinstance(who, str) else None
    if role is None:
        raise DataError(f"{speaker} must be one of {', '.join(_ROLES)}: {place}")
    if not isinstance(text, str):
        raise DataError(f"{said} must be a text: {place}")
    if not text.strip() and role != "system":
        raise DataError(f"{said} is empty: {place}")
    return Turn(role, text)


def _check_order(turns: list[Turn], place: str) -> None:
    first = 1 if turns[0].role == "system" else 0
    for number, turn in enumerate(turns[first:], start=first):
        expected = "assistant" if (number - first) % 2 else "user"
        if turn.role != expected:
            raise DataError(f"expected the {expected} to speak, not the {turn.role}: {place}, turn {number + 1}")
