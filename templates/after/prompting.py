"""How a model is asked: with the prompt format that travels in its folder, else as the recipe asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from templates.training.alpaca import WITH_INPUT, WITHOUT_INPUT

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

_FORMAT = "prompt_format.json"


class Prompter:
    """Makes the tokens of a prompt, exactly those that an answer followed in training, and knows what ends an answer.

    A model of another maker has no format of ours: its chat template asks, if it has one.
    """

    def __init__(self, model: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        found = model / _FORMAT
        self._words = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {}
        self._chats = "without_input" not in self._words and bool(tokenizer.chat_template)

    @property
    def end_id(self) -> int:
        """The token that generation stops at."""
        return int(self._tokenizer.eos_token_id)

    def ids(self, instruction: str, context: str) -> list[int]:
        """The tokens of an instruction with its input, up to where the model is to answer."""
        if self._chats:
            text = _chat(self._tokenizer, instruction, context)
        else:
            name, usual = ("with_input", WITH_INPUT) if context else ("without_input", WITHOUT_INPUT)
            text = _filled(self._words.get(name, usual), instruction, context)
        # A template writes the special tokens itself.
        return list(self._tokenizer(text, add_special_tokens=not self._chats)["input_ids"])


def _filled(template: str, instruction: str, context: str) -> str:
    # Not str.format: braces in the texts are the texts' own.
    head, _, tail = template.partition("{instruction}")
    return head + instruction + tail.replace("{input}", context)


def _chat(tokenizer: PreTrainedTokenizerBase, instruction: str, context: str) -> str:
    content = f"{instruction}\n\n{context}" if context else instruction
    messages = [{"role": "user", "content": content}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
