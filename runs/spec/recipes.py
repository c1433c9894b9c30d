"""Run files to start from, shipped with what they need."""

from __future__ import annotations

import difflib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.spec.edit import with_values
from runs.spec.load import load_run_text
from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to stand in the run file instead of the recipe's own words; None leaves those.

    Attributes:
        name: What the run is called.
        cloud: `azure` or `rehearsal`.
        model: The base weights.
        data: What to train on.
        spot: A spot machine, or one on demand.
    """

    name: str | None = None
    cloud: str | None = None
    model: str | None = None
    data: str | None = None
    spot: bool | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a recipe says of that which is worth a question."""

    model: str
    data: str


def values_of(name: str) -> Known:
    """Give a recipe's own model and data.

    Raises:
        SpecError: There is no such recipe.
    """
    path = recipe_path(name)
    spec = load_run_text(path.read_text(encoding="utf-8"), path).spec
    return Known(spec.model.source, spec.data.source)


def write_recipe(name: str, folder: Path, wishes: Wishes | None = None) -> Path:
    """Write a recipe's run file and what it needs into a folder, which is made when absent.

    Args:
        name: The recipe.
        folder: Where to.
        wishes: What is to stand in the run file instead.

    Returns:
        The run file.

    Raises:
        SpecError: There is no such recipe, a wish cannot be had, or something of it is there already: nothing is ever
            overwritten.
    """
    source, assets = recipe_path(name), _ASSETS.get(name, {})
    refuse_overwriting(folder, [RUN_FILE_NAME, *assets])
    text = source.read_text(encoding="utf-8")
    changed = with_values(text, _values(wishes, folder)) if wishes is not None else text
    # A wish that cannot be had is refused before anything is written.
    load_run_text(changed, folder / RUN_FILE_NAME)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for asset, write in assets.items():
            write(folder / asset)
        # Last, so that a run file never stands there without what it names.
        (folder / RUN_FILE_NAME).write_text(changed, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"cannot write the recipe: {error}", hint="name another folder") from error
    return folder / RUN_FILE_NAME


def _values(wishes: Wishes, folder: Path) -> dict[tuple[str, ...], str | bool | None]:
    """Each wish at its place; a path is one from here, and the run file counts from its own folder."""
    wished: dict[tuple[str, ...], str | bool | None] = {
        ("name",): wishes.name,
        ("cloud",): wishes.cloud,
        ("machine", "spot"): wishes.spot,
        ("model", "from"): _from_there(wishes.model, folder),
        ("data", "from"): _from_there(wishes.data, folder),
    }
    return {place: value for place, value in wished.items() if value is not None}


def _from_there(source: str | None, folder: Path) -> str | None:
    """A relative path that is there from here, as the run file's folder sees it; anything else as it is."""
    if source is None or "://" in source or Path(source).is_absolute() or not Path(source).exists():
        return source
    relative = os.path.relpath(source, folder)
    return relative if relative.startswith(".") else f"./{relative}"


def refuse_overwriting(folder: Path, names: Sequence[str] = (RUN_FILE_NAME,)) -> None:
    """Refuse a folder in which something of these names is already.

    Raises:
        SpecError: There is, or the folder is none.
    """
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"not a folder: {folder}", hint="name another one")
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise SpecError(
            f"already there, and never overwritten: {', '.join(str(folder / name) for name in there)}",
            hint="name another folder: `llamalift init FOLDER`",
        )
