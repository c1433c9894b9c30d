"""JSON from a machine into frozen dataclasses, strictly: wrong or missing values are told by path, never a KeyError."""

from __future__ import annotations

import base64
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from remote.text import printable

_T = TypeVar("_T")


class DecodeError(Exception):
    """A value is not what its dataclass says; the message has the path to it."""


def decode(kind: type[_T], document: object, path: str = "$") -> _T:
    """`document` as `kind`, a dataclass. Text loses its terminal escapes; unknown keys (a newer machine's) are ignored.

    A field reads the key of its own name, or `metadata["key"]`. One with a default takes it where the value is null or
    missing.

    Raises:
        DecodeError: A value is missing or of another type.
    """
    if not isinstance(document, dict):
        raise DecodeError(f"{path} is not an object: {_shown(document)}")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every caller passes a dataclass
        key = field.metadata.get("key", field.name)
        has_default = field.default is not MISSING
        if has_default and document.get(key) is None:
            continue
        if key not in document:
            raise DecodeError(f"{path}.{key} is missing")
        values[field.name] = _value(hints[field.name], document[key], f"{path}.{key}")
    return kind(**values)


def _value(hint: Any, value: object, path: str) -> Any:  # noqa: ANN401 - types made at run time
    origin = get_origin(hint)
    if origin is types.UnionType:
        return None if value is None else _value(get_args(hint)[0], value, path)
    if origin is tuple:
        return _tuple(get_args(hint), value, path)
    if is_dataclass(hint) and isinstance(hint, type):
        return decode(hint, value, path)
    if hint is bytes:
        return _bytes(value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is an int to Python, and no number to us.
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise DecodeError(f"{path} is not of type {hint.__name__}: {_shown(value)}")
    return printable(value) if isinstance(value, str) else value


def _tuple(kinds: tuple[Any, ...], value: object, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise DecodeError(f"{path} is not a list: {_shown(value)}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise DecodeError(f"{path} has not {len(kinds)} values: {_shown(value)}")
    return tuple(
        _value(kind, entry, f"{path}[{index}]") for index, (kind, entry) in enumerate(zip(kinds, value, strict=True))
    )


def _bytes(value: object, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else _refuse(value, path)
    except ValueError:
        return _refuse(value, path)


def _refuse(value: object, path: str) -> NoReturn:
    raise DecodeError(f"{path} is not base64: {_shown(value)}")


def _shown(value: object) -> str:
    return printable(repr(value))[:80]
