"""How a model is asked: with the prompt format that travels in its folder, token by token as it was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from templates.training import prompts
from templates.training.conversations import asked

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase


class Prompter:
    """Makes the tokens of a prompt, exactly those that an answer followed in training, and knows what ends an answer.

    A model of another maker has no format of ours: its chat template asks, if it has one, else Alpaca's prompt.
    """

    def __init__(self, model: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._format = prompts.format_of(model, tokenizer)

    @property
    def end_id(self) -> int:
        """The token that generation stops at."""
        return prompts.end_id(self._format, self._tokenizer)

    def ids(self, instruction: str, context: str) -> list[int]:
        """The tokens of an instruction with its input, up to where the model is to answer.

        Raises:
            DataError: The tokenizer's chat template refuses it.
        """
        return prompts.prompt_ids(self._format, asked(instruction, context), self._tokenizer)
