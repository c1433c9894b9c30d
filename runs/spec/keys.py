"""Which keys the run file knows, and where: read from the models."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from runs.spec.run_file import RunFile

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
    return [place[-1] for place in _all_places() if place[:-1] == words]


def sections_with(key: str) -> Sequence[tuple[str, ...]]:
    """Give every place where a key of this name belongs."""
    return [place for place in _all_places() if place[-1] == key]


@functools.cache
def _all_places() -> tuple[tuple[str, ...], ...]:
    return tuple(_places(RunFile, ()))


def _places(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        place = (*above, key_of(name, info))
        yield place
        below = section_of(info)
        if below is not None:
            yield from _places(below, place)
