"""The texts of a row, whichever of the usual shapes it has: Alpaca, ShareGPT, or messages with roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from templates.training.conversations import conversation
from templates.training.errors import DataError

if TYPE_CHECKING:
    from templates.curation.rules import Where


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
        UnusableError: The trainer would refuse it: it has none of the known shapes, or nothing can be learnt from it.
    """
    if isinstance(row, dict) and "messages" not in row and "conversations" not in row:
        return _unicode(*_alpaca(row))
    try:
        turns = conversation(row, "")
    except DataError as error:
        raise UnusableError(str(error).partition(": ")[0]) from error
    except TypeError as error:
        raise UnusableError("a turn's speaker is not a text") from error
    answers = tuple(turn.text for turn in turns if turn.role == "assistant")
    return _unicode(tuple(turn.text for turn in turns if turn.role != "assistant"), answers)


def _alpaca(row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Most rows are of this shape, and this is the shortest way through it."""
    instruction, answer, context = row.get("instruction"), row.get("output"), row.get("input")
    if not isinstance(instruction, str) or not isinstance(answer, str) or not isinstance(context, str | None):
        raise UnusableError("no texts: neither instruction and output nor a conversation")
    if not instruction.strip() or not answer.strip():
        raise UnusableError("nothing is answered" if instruction.strip() else "nothing is asked")
    return (instruction, context) if context else (instruction,), (answer,)


def _unicode(prompts: tuple[str, ...], answers: tuple[str, ...]) -> Texts:
    try:
        for text in (*prompts, *answers):
            if not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        # JSON can say half of a surrogate pair; no tokenizer takes that.
        raise UnusableError("a text is not Unicode") from None
    return Texts(prompts, answers)
