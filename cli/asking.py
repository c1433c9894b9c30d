"""The few questions of `llamalift init`: each with an answer that the return key gives."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from runs.spec.recipes import Wishes

_FIRST = "tiny-cpu"


def is_asking() -> bool:
    """Somebody sits there who can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def answers(wishes: Wishes) -> tuple[str, Wishes]:
    """Ask for the recipe, and for what neither the recipe nor an option can know.

    Args:
        wishes: What was said already; it is not asked again.

    Returns:
        The recipe, and all wishes.
    """
    recipe = _recipe()
    if recipe == _FIRST:
        # It brings its own model and data, and runs on this computer.
        return recipe, wishes
    from runs.spec.recipes import values_of

    known = values_of(recipe)
    if wishes.model is None:
        wishes = replace(wishes, model=_ask("base model (a folder, or hf://owner/name)", known.model))
    if wishes.data is None:
        wishes = replace(wishes, data=_ask("data (a .json or .jsonl file, or hf://datasets/…)", known.data))
    if wishes.spot is None:
        words = "spot machine (much cheaper; evicted now and then, and goes on by itself)?"
        wishes = replace(wishes, spot=typer.confirm(words, default=False, err=True))
    return recipe, wishes


def _recipe() -> str:
    from cli.console import talk
    from runs.spec.recipes import recipes

    known = sorted(recipes(), key=lambda one: one.name != _FIRST)
    for number, one in enumerate(known, start=1):
        talk().print(f"  {number}  {one.name:<12} {one.summary}", markup=False)
    while True:
        answer = _ask("start from", "1")
        if answer.isdecimal() and 1 <= int(answer) <= len(known):
            return known[int(answer) - 1].name
        if answer in {one.name for one in known}:
            return answer
        talk().print(f"one of 1 to {len(known)}, or a name", markup=False)


def _ask(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, err=True)).strip()
