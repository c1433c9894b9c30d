"""How a conversation becomes text and tokens. One place for training and for asking: what differs is never learnt well.

`prompt_ids` is what whoever asks a model needs, with `format_of` its folder. Training takes the same text with the
answers in it, and knows for each piece whether it is learnt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from templates.training import alpaca
from templates.training.chat_templates import IM_END, IM_START, VICUNA_SYSTEM, template_of
from templates.training.conversations import Conversation, Turn, asked
from templates.training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

# `tokenizer` is the chat template that the base model's tokenizer brings along.
FORMATS = ("alpaca", "vicuna", "chatml", "tokenizer")
FILE = "prompt_format.json"
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a conversation's text, and whether it is learnt."""

    text: str
    is_learnt: bool


def format_of(folder: Path, tokenizer: PreTrainedTokenizerBase) -> str:
    """Give the format that a model answers to: the one it was trained with, as its folder says.

    A model that was not trained by us has its tokenizer's chat template, or none: then it is asked as Alpaca would.
    """
    file = folder / FILE
    if file.is_file():
        return str(json.loads(file.read_text(encoding="utf-8"))["name"])
    return "tokenizer" if tokenizer.chat_template else "alpaca"


def equip(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer what a format needs: its chat template, and ChatML's two tokens, the second to end a text.

    A tokenizer that is saved afterwards carries the format to every program that knows chat templates.

    Raises:
        DataError: The tokenizer's own template is asked for, and it has none.
    """
    if name == "tokenizer":
        if not tokenizer.chat_template:
            raise DataError("the tokenizer has no chat template: choose alpaca, vicuna or chatml as prompt_format")
        return
    if name == "chatml":
        words = tokenizer.get_vocab()
        missing = [token for token in (IM_START, IM_END) if token not in words]
        tokenizer.add_special_tokens({"eos_token": IM_END})
        if missing:
            tokenizer.add_special_tokens({"additional_special_tokens": [IM_START]}, replace_extra_special_tokens=False)
    tokenizer.chat_template = template_of(name, adds_bos=_adds_bos(tokenizer))


def pieces(name: str, turns: Conversation, tokenizer: PreTrainedTokenizerBase) -> list[Piece]:
    """Give a conversation's text; when a user spoke last, it ends where the model is to answer.

    Raises:
        DataError: The tokenizer's template refuses the conversation.
    """
    match name:
        case "alpaca":
            return list(_alpaca(turns, str(tokenizer.eos_token)))
        case "vicuna":
            return list(_vicuna(turns, str(tokenizer.eos_token)))
        case "chatml":
            return list(_chatml(turns))
        case "tokenizer":
            return _by_template(turns, tokenizer)
    raise DataError(f"expected one of {', '.join(FORMATS)} as prompt_format, found: {name}")


def prompt_text(name: str, turns: Conversation, tokenizer: PreTrainedTokenizerBase) -> str:
    """Give the text up to where the model is to answer; `turns` ends with what a user says."""
    return "".join(piece.text for piece in pieces(name, turns, tokenizer))


def prompt_ids(name: str, turns: Conversation, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give the tokens of `prompt_text`, exactly those that an answer followed in training."""
    text = prompt_text(name, turns, tokenizer)
    return _prefix_ids([text], name, tokenizer)[0]


def end_of_answer(name: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Give the text with which the model says that its answer is over: what generation stops at."""
    if name != "tokenizer":
        return str(tokenizer.eos_token)
    learnt = pieces(name, (*asked("1"), Turn("assistant", "0")), tokenizer)[1].text
    return learnt.rpartition("0")[2].strip() or str(tokenizer.eos_token)


def end_id(name: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Give the token that generation stops at: `end_of_answer`, where that is one token."""
    ids = tokenizer(end_of_answer(name, tokenizer), add_special_tokens=False)["input_ids"]
    return int(ids[0] if len(ids) == 1 else tokenizer.eos_token_id)


def encode(
    name: str, conversations: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase
) -> tuple[list[list[int]], list[list[int]]]:
    """Give each conversation's tokens and its labels: -100 where nothing is learnt.

    As in Llama-X: the whole conversation is tokenised as one text, and of its tokens as many belong to what stands
    before an answer as that has when it is tokenised alone. A format without a sign of its own at the end gets the
    tokenizer's end-of-sequence token.
    """
    parted = [pieces(name, turns, tokenizer) for turns in conversations]
    whole = _ids(["".join(piece.text for piece in row) for row in parted], name, tokenizer)
    starts = [list(_starts(row)) for row in parted]
    flat = iter(_prefix_ids([text for row in starts for text in row], name, tokenizer))
    takes_end = name != "chatml" and end_of_answer(name, tokenizer) == tokenizer.eos_token
    all_ids, all_labels = [], []
    for row, before, ids in zip(parted, starts, whole, strict=True):
        counts = [len(next(flat)) for _ in before]
        misses_end = takes_end and row[-1].is_learnt and ids[-1] != tokenizer.eos_token_id
        ended = [*ids, tokenizer.eos_token_id] if misses_end else ids
        all_ids.append(ended)
        all_labels.append(_labels(row, counts, ended))
    return all_ids, all_labels


def characters(name: str, turns: Conversation) -> int:
    """Estimate how long a conversation's text is, where there is no tokenizer: as if a template were ChatML's."""
    match name:
        case "alpaca":
            found = _alpaca(turns, "")
        case "vicuna":
            found = _vicuna(turns, "")
        case _:
            found = _chatml(turns)
    return sum(len(piece.text) for piece in found)


def answers_learnt(name: str, turns: Conversation, tokenizer: PreTrainedTokenizerBase) -> int:
    """Give how many of a conversation's answers are learnt: all, or under some templates the last alone."""
    return sum(piece.is_learnt for piece in pieces(name, turns, tokenizer))


def user_text(turn: Turn) -> str:
    """Give what a user says in formats that know no `input`: it follows the instruction."""
    return f"{turn.text}\n\n{turn.context}" if turn.context else turn.text


def _alpaca(turns: Conversation, end: str) -> Iterator[Piece]:
    opening = None
    for number, turn in enumerate(turns):
        if turn.role == "system":
            opening = turn.text
        elif turn.role == "user":
            whole = alpaca.prompt(turn.text, turn.context)
            # Later turns have no opening of their own; the published prompt is for one.
            preamble, _, rest = whole.partition("### Instruction:")
            first = preamble if opening is None else f"{opening}\n\n"
            yield Piece((first if number < 2 else "\n\n") + "### Instruction:" + rest, is_learnt=False)
        else:
            yield Piece(turn.text + ("" if number == len(turns) - 1 else end), is_learnt=True)


def _vicuna(turns: Conversation, end: str) -> Iterator[Piece]:
    system = turns[0].text if turns[0].role == "system" else VICUNA_SYSTEM
    for number, turn in enumerate(turns):
        if turn.role == "user":
            yield Piece(f"{f'{system} ' if number < 2 else ''}USER: {user_text(turn)} ASSISTANT:", is_learnt=False)
        elif turn.role == "assistant":
            yield Piece(f" {turn.text}" + ("" if number == len(turns) - 1 else end), is_learnt=True)


def _chatml(turns: Conversation) -> Iterator[Piece]:
    for turn in turns:
        if turn.role == "assistant":
            yield Piece(f"{turn.text}{IM_END}", is_learnt=True)
            yield Piece("\n", is_learnt=False)
            continue
        ask = f"{IM_START}assistant\n" if turn.role == "user" else ""
        yield Piece(f"{IM_START}{turn.role}\n{user_text(turn)}{IM_END}\n{ask}", is_learnt=False)


def _by_template(turns: Conversation, tokenizer: PreTrainedTokenizerBase) -> list[Piece]:
    """Cut what the template makes of a conversation where its answers begin and end.

    A template that changes an earlier answer when another follows (some leave out its reasoning) has no such text; of
    that conversation the last answer is learnt, after what the template makes of the rest.
    """
    if turns[-1].role != "assistant":
        return [Piece(_render(turns, tokenizer), is_learnt=False)]
    answers = [number for number, turn in enumerate(turns) if turn.role == "assistant"]
    found = _cut(turns, answers, tokenizer) or _cut(turns, answers[-1:], tokenizer)
    if found is None:
        raise DataError("the tokenizer's chat template puts something else where it lets the model answer")
    return found


def _cut(turns: Conversation, answers: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[Piece] | None:
    found, done = list[Piece](), ""
    for number in answers:
        before, upto = _render(turns[:number], tokenizer), _render(turns[: number + 1], tokenizer)
        if not (before.startswith(done) and upto.startswith(before)):
            return None
        answer = upto[len(before) :]
        said = answer.rstrip()
        found += [Piece(before[len(done) :], is_learnt=False), Piece(said, is_learnt=True)]
        found += [Piece(answer[len(said) :], is_learnt=False)] if answer != said else []
        done = upto
    return found


def _render(turns: Conversation, tokenizer: PreTrainedTokenizerBase) -> str:
    messages = [{"role": turn.role, "content": user_text(turn)} for turn in turns]
    asks = turns[-1].role != "assistant"
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks))
    except Exception as error:
        # Jinja's own: whatever a template's author found worth refusing.
        raise DataError(f"the tokenizer's chat template refuses a conversation: {error}") from error


def _adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    return tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id is not None


def _ids(texts: list[str], name: str, tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    # A template writes the special tokens itself.
    found = tokenizer(texts, add_special_tokens=name != "tokenizer", verbose=False)["input_ids"] if texts else []
    return [list(ids) for ids in found]


def _prefix_ids(texts: list[str], name: str, tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """The tokens of beginnings, after which a text goes on: without the end that some tokenizers add by themselves."""
    end, mark = tokenizer.eos_token_id, str(tokenizer.eos_token)
    return [
        ids[:-1] if ids and ids[-1] == end and not text.endswith(mark) else ids
        for text, ids in zip(texts, _ids(texts, name, tokenizer), strict=True)
    ]


def _starts(row: Sequence[Piece]) -> Iterator[str]:
    """Everything before each piece but the first."""
    text = ""
    for piece in row[:-1]:
        text += piece.text
        yield text


def _labels(row: Sequence[Piece], counts: Sequence[int], ids: list[int]) -> list[int]:
    labels = [IGNORED] * len(ids)
    for piece, (begin, end) in zip(row, pairwise([0, *counts, len(ids)]), strict=True):
        if piece.is_learnt:
            labels[begin:end] = ids[begin:end]
    return labels
