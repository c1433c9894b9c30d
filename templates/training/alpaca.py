"""The recipe's prompt, to the letter. Standard library only."""

from __future__ import annotations

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


def prompt(instruction: str, context: str = "") -> str:
    """Give the prompt of an instruction, with or without an input."""
    # Not str.format: braces in the texts are the texts' own.
    head, _, tail = (WITH_INPUT if context else WITHOUT_INPUT).partition("{instruction}")
    return head + instruction + tail.replace("{input}", context)
