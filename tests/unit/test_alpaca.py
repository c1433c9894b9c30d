"""The recipe's prompt."""

from __future__ import annotations

from templates.training.alpaca import prompt


def test_the_prompt_without_an_input() -> None:
    """To the letter as in Stanford Alpaca and Llama-X."""
    assert prompt("Say hello.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nSay hello.\n\n### Response:"
    )


def test_the_prompt_with_an_input() -> None:
    """To the letter, with the input in its own section."""
    assert prompt("Add.", "1, 2") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
        "response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:"
    )


def test_braces_are_text() -> None:
    """Texts that look like our placeholders are not filled in."""
    assert prompt("{input} {instruction} {0}", "{instruction}").count("{instruction}") == 2
    assert "### Input:\n{instruction}\n" in prompt("a", "{instruction}")
