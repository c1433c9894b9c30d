"""How a model is asked: with the prompt format that travels in its folder, else as the recipe asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from templates.training.alpaca import WITH_INPUT, WITHOUT_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

_FORMAT = "prompt_format.json"


def prompter(model: Path, tokenizer: PreTrainedTokenizerBase) -> Callable[[str, str], str]:
    """Give the function that makes a prompt of an instruction and an input.

    A model of another maker has no format of ours: its chat template asks, if it has one.
    """
    found = model / _FORMAT
    words = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {}
    if "without_input" not in words and tokenizer.chat_template:
        return lambda instruction, context: _chat(tokenizer, instruction, context)
    with_input, without_input = words.get("with_input", WITH_INPUT), words.get("without_input", WITHOUT_INPUT)
    return lambda instruction, context: _filled(with_input if context else without_input, instruction, context)


def _filled(template: str, instruction: str, context: str) -> str:
    # Not str.format: braces in the texts are the texts' own.
    head, _, tail = template.partition("{instruction}")
    return head + instruction + tail.replace("{input}", context)


def _chat(tokenizer: PreTrainedTokenizerBase, instruction: str, context: str) -> str:
    content = f"{instruction}\n\n{context}" if context else instruction
    messages = [{"role": "user", "content": content}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
