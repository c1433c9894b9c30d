"""Run files to start from, shipped with what they need."""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import SpecError
from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TEMPLATES = Path(__file__).parents[2] / "templates"
_RECIPES = _TEMPLATES / "recipes"

RUN_FILE_NAME = "run.yaml"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A run file to start from.

    Attributes:
        name: What to call it by.
        summary: What it is for, in a line.
    """

    name: str
    summary: str


_SUMMARIES: Mapping[str, str] = {
    "starter": "every section and key with its default, explained",
    "tiny-cpu": "the whole journey on your own computer, in minutes and for nothing",
    "composed-cpu": "two stages on your own computer, one from the other, asked and scored",
    "wizardlm-7b": "the published WizardLM recipe: LLaMA-7B on four A100 GPUs",
}


def _data(target: Path) -> None:
    """Write the shipped file or folder of this name."""
    source = _TEMPLATES / "data" / target.name
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


# What a recipe's run file names beside itself, each with what writes it.
_ASSETS: Mapping[str, Mapping[str, Callable[[Path], None]]] = {
    "tiny-cpu": {"instructions.json": _data, "tiny-llama": write_tiny_llama},
    "composed-cpu": {
        **dict.fromkeys(("instructions.json", "alignment.json", "questions.jsonl", "tasks"), _data),
        "tiny-llama": write_tiny_llama,
    },
}


def recipes() -> tuple[Recipe, ...]:
    """Give every recipe that is shipped."""
    return tuple(Recipe(name, summary) for name, summary in _SUMMARIES.items())


def recipe_path(name: str) -> Path:
    """Give the shipped run file of a recipe.

    Raises:
        SpecError: There is no such recipe.
    """
    if name not in _SUMMARIES:
        near = difflib.get_close_matches(name, _SUMMARIES, n=1, cutoff=0.5)
        names = f"`llamalift init FOLDER --recipe {near[0] if near else 'NAME'}`"
        hint = f"did you mean {names}?" if near else f"there are {', '.join(_SUMMARIES)}: {names}"
        raise SpecError(f"no such recipe: {name}", hint=hint)
    return _RECIPES / f"{name}.yaml"


def write_recipe(name: str, folder: Path) -> Path:
    """Write a recipe's run file and what it needs into a folder, which is made when absent.

    Args:
        name: The recipe.
        folder: Where to.

    Returns:
        The run file.

    Raises:
        SpecError: There is no such recipe, or something of it is there already: nothing is ever overwritten.
    """
    source, assets = recipe_path(name), _ASSETS.get(name, {})
    _refuse_overwriting(folder, [RUN_FILE_NAME, *assets])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for asset, write in assets.items():
            write(folder / asset)
        # Last, so that a run file never stands there without what it names.
        shutil.copyfile(source, folder / RUN_FILE_NAME)
    except OSError as error:
        raise SpecError(f"cannot write the recipe: {error}", hint="name another folder") from error
    return folder / RUN_FILE_NAME


def _refuse_overwriting(folder: Path, names: list[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"not a folder: {folder}", hint="name another one")
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise SpecError(
            f"already there, and never overwritten: {', '.join(str(folder / name) for name in there)}",
            hint="name another folder: `llamalift init FOLDER`",
        )
