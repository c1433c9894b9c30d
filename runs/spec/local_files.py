"""The local files that a run file names: are they there, and are they what they should be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import Problem
from runs.spec.yaml_reader import path_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.spec.yaml_reader import Document, Place


_AFTER: tuple[Place, ...] = (("after", "infer", "input"), ("after", "evaluate", "task_folder"))


def missing_files(document: Document, folder: Path) -> Iterator[Problem]:
    """Yield a problem for each local source that is absent or of the wrong kind.

    It reads the file's raw values, so that it finds these problems beside all others.

    Args:
        document: The run file.
        folder: Its folder, to which relative paths are relative.
    """
    for place, text in _named_sources(document.values):
        if "://" in text:
            continue
        wrong = _wrong(place, text, folder / Path(text).expanduser())
        if wrong:
            position = document.position(place, of_key=False)
            yield Problem(
                path_words(place), wrong, position.line if position else None, position.column if position else None
            )


def _named_sources(values: object) -> Iterator[tuple[Place, str]]:
    for place in (("model", "from"), ("data", "from"), *_below_items(values, "train", ("data", "from"))):
        yield from _text_at(values, place)
    for place in (("train", "deepspeed"), *_below_items(values, "train", ("deepspeed",))):
        yield from ((place, text) for _, text in _text_at(values, place) if text.endswith(".json"))
    for place in (*_below_items(values, "sync", ("from",)), *_AFTER):
        yield from _text_at(values, place)


def _below_items(values: object, section: str, place: Place) -> Iterator[Place]:
    """The place in each item of a section that is a list."""
    items = values.get(section) if isinstance(values, dict) else None
    for index in range(len(items) if isinstance(items, list) else 0):
        yield (section, index, *place)


def _text_at(values: object, place: Place) -> Iterator[tuple[Place, str]]:
    for part in place:
        if isinstance(values, list) and isinstance(part, int):
            values = values[part]
        elif isinstance(values, dict):
            values = values.get(str(part))
        else:
            return
    if isinstance(values, str) and values:
        yield place, values


def _wrong(place: Place, text: str, path: Path) -> str:
    if not path.exists():
        hub = text.count("/") == 1 and not text.startswith((".", "~", "/")) and place[0] == "model"
        return f"no such file or folder: {path}" + (f" (from the Hugging Face Hub? hf://{text})" if hub else "")
    if place == ("model", "from") and not (path / "config.json").is_file():
        return f"expected a folder with a config.json, found: {path}"
    if place[-1] == "task_folder" and not path.is_dir():
        return f"expected a folder, found: {path}"
    if (place[-2:] == ("data", "from") or place[-1] in {"deepspeed", "input"}) and not path.is_file():
        return f"expected a file, found: {path}"
    return ""
