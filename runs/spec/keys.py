"""Which keys the run file knows, and where: read from the models."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, get_args, get_origin

from pydantic import BaseModel

from runs.spec.run_file import RunFile
from runs.spec.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo

    from runs.spec.yaml_reader import Place


def key_of(name: str, info: FieldInfo) -> str:
    """Give the key under which the run file has a field."""
    return info.alias or name


def section_of(info: FieldInfo) -> type[BaseModel] | None:
    """Give the model below a field (or below its list), or None for a plain value."""
    kinds = [info.annotation, *get_args(info.annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def known_keys(section: Place) -> Sequence[str]:
    """Give the keys of a section, `()` for the file itself; empty where anything goes or nothing is known."""
    words = tuple(part for part in section if isinstance(part, str))
    of_stage = section[:1] == ("train",) and len(section) > len(words)
    return [place[-1] for place in (_stage_places() if of_stage else _all_places()) if place[:-1] == words]


def sections_with(key: str) -> Sequence[tuple[str, ...]]:
    """Give every place where a key of this name belongs."""
    return [place for place in _all_places() if place[-1] == key]


def is_list(info: FieldInfo) -> bool:
    """Whether a field with a model below it is a list of those, and nothing else."""
    return get_origin(info.annotation) is tuple


def item_of(info: FieldInfo) -> type[BaseModel] | None:
    """Give the model of a list's items where a field may be a list as well, or None."""
    lists = [kind for kind in get_args(info.annotation) if get_origin(kind) is tuple]
    return next((get_args(kind)[0] for kind in lists), None)


@functools.cache
def _all_places() -> tuple[tuple[str, ...], ...]:
    return tuple(_places(RunFile, ()))


@functools.cache
def _stage_places() -> tuple[tuple[str, ...], ...]:
    return tuple(_places(Stage, ("train",)))


def _places(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        place = (*above, key_of(name, info))
        yield place
        below = section_of(info)
        if below is not None:
            yield from _places(below, place)
