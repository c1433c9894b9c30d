"""The texts of a row, whichever of the usual shapes it has: Alpaca, ShareGPT, or messages with roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from templates.curation.rules import Where

# Whose words are the answers, in ShareGPT and its descendants.
_ANSWERING = frozenset({"assistant", "bard", "bing", "bot", "chatgpt", "gpt", "model"})


@dataclass(frozen=True, slots=True)
class Texts:
    """What was asked and what was answered; each at least once, and none of the answers without any text."""

    prompts: tuple[str, ...]
    answers: tuple[str, ...]

    def at(self, where: Where) -> tuple[str, ...]:
        """Those that a rule looks at."""
        if where == "answer":
            return self.answers
        return self.prompts if where == "prompt" else (*self.prompts, *self.answers)


class UnusableError(Exception):
    """Nobody could train on such a row; the message says why, in a few fixed words."""


def texts_of(row: object) -> Texts:
    """Give the texts of a row.

    Raises:
        UnusableError: It has none of the known shapes, or lacks what training needs.
    """
    if not isinstance(row, dict):
        raise UnusableError("not an object")
    for turns, who, what in (("conversations", "from", "value"), ("messages", "role", "content")):
        if isinstance(row.get(turns), list):
            return _checked(*_conversation(row[turns], who, what))
    return _checked(*_alpaca(row))


def _alpaca(row: dict[str, Any]) -> tuple[list[str], list[str]]:
    instruction, answer, context = row.get("instruction"), row.get("output"), row.get("input")
    if not isinstance(instruction, str) or not isinstance(answer, str) or not isinstance(context, str | None):
        raise UnusableError("no texts: neither instruction and output nor a conversation")
    return [instruction, context] if context else [instruction], [answer]


def _conversation(turns: list[Any], who: str, what: str) -> tuple[list[str], list[str]]:
    prompts: list[str] = []
    answers: list[str] = []
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get(who), str) or not isinstance(turn.get(what), str):
            raise UnusableError("a turn of the conversation is not a text")
        (answers if turn[who].lower() in _ANSWERING else prompts).append(turn[what])
    return prompts, answers


def _checked(prompts: list[str], answers: list[str]) -> Texts:
    if not any(text.strip() for text in prompts):
        raise UnusableError("nothing is asked")
    if not answers or not all(text.strip() for text in answers):
        raise UnusableError("an answer is empty")
    try:
        for text in (*prompts, *answers):
            if not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        # JSON can say half of a surrogate pair; no tokenizer takes that.
        raise UnusableError("a text is not Unicode") from None
    return Texts(tuple(prompts), tuple(answers))
