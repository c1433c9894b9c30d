"""How a conversation becomes text, and what of it is learnt: by hand, to the letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from templates.training.conversations import Turn, asked
from templates.training.errors import DataError
from templates.training.prompts import pieces, prompt_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ONE = (*asked("Add.", "1, 2"), Turn("assistant", "3"))
TWO = (Turn("user", "Hi."), Turn("assistant", "Hello."), Turn("user", "Bye."), Turn("assistant", "See you."))
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
)


@dataclass(frozen=True)
class Ended:
    """All that the shipped formats ask of a tokenizer."""

    eos_token: str = "</s>"


TOKENIZER = cast("PreTrainedTokenizerBase", Ended())


def marked(name: str, turns: tuple[Turn, ...]) -> str:
    """Give the text with what is learnt in brackets."""
    return "".join(f"[{one.text}]" if one.is_learnt else one.text for one in pieces(name, turns, TOKENIZER))


def test_alpaca_is_as_published_and_goes_on() -> None:
    """One turn is Llama-X's own; further turns follow the end of the answer, without the opening."""
    assert marked("alpaca", ONE).endswith("### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:[3]")
    assert marked("alpaca", TWO) == (
        f"{WITHOUT_INPUT}### Instruction:\nHi.\n\n### Response:[Hello.</s>]"
        "\n\n### Instruction:\nBye.\n\n### Response:[See you.]"
    )
    assert marked("alpaca", (Turn("system", "Be kind."), *TWO[:2])) == (
        "Be kind.\n\n### Instruction:\nHi.\n\n### Response:[Hello.]"
    )


def test_vicuna_is_as_fastchat_has_it() -> None:
    """Version 1.1: one space apart, the end token after each answer, and the next user right after it."""
    opening = (
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions."
    )
    assert marked("vicuna", TWO) == (f"{opening} USER: Hi. ASSISTANT:[ Hello.</s>]USER: Bye. ASSISTANT:[ See you.]")
    assert marked("vicuna", (Turn("system", "Be kind."), *ONE)) == "Be kind. USER: Add.\n\n1, 2 ASSISTANT:[ 3]"


def test_chatml_learns_to_end_its_answers() -> None:
    """The sign of the end is learnt, the line break after it is not."""
    assert marked("chatml", (Turn("system", "Be kind."), *TWO)) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n"
        "[Hello.<|im_end|>]\n<|im_start|>user\nBye.<|im_end|>\n<|im_start|>assistant\n[See you.<|im_end|>]\n"
    )


@pytest.mark.parametrize("name", ["alpaca", "vicuna", "chatml"])
def test_who_asks_gets_what_came_before_the_answer_in_training(name: str) -> None:
    """For each answer of a conversation: the prompt is the text up to it."""
    whole = "".join(piece.text for piece in pieces(name, TWO, TOKENIZER))
    for answered in (1, 3):
        said = prompt_text(name, TWO[:answered], TOKENIZER)
        assert whole.startswith(said)
        assert whole[len(said) :].lstrip().startswith(TWO[answered].text)


def test_an_unknown_format_is_named() -> None:
    """No guess."""
    with pytest.raises(DataError, match="found: chatmail"):
        pieces("chatmail", ONE, TOKENIZER)
