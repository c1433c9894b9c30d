"""Pydantic's findings in the run file's words: where, what is expected, what was found, and the nearest known key."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from runs.errors import Problem
from runs.spec.flags import OUR_FLAGS, known_flags
from runs.spec.keys import known_keys, sections_with
from runs.spec.patterns import SECRET_NAME, WORDS
from runs.spec.yaml_reader import path_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runs.spec.yaml_reader import Document, Place

_EXPECTED: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "keys with values below it",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "keys with values below it",
    "model_type": "keys with values below it",
    "string_type": "text",
    "tuple_type": "a list",
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}

# What YAML 1.1 took for true and false is text here.
_YAML_1_1: Mapping[str, str] = {"yes": "true", "on": "true", "no": "false", "off": "false"}

_TYPE_ERRORS = frozenset(_EXPECTED) | {"literal_error"}


def complaints(errors: Iterable[Any], document: Document) -> Iterator[Problem]:
    """Turn the errors of a failed validation into problems with places in the file; one for each place."""
    grouped: dict[Place, list[Any]] = {}
    malformed = {problem.path for problem in document.problems}
    for error in errors:
        if _is_echo(error):
            continue
        grouped.setdefault(_place(error["loc"], document.values), []).append(error)
    for place, at_place in grouped.items():
        # What could not even be read has been complained of already.
        if path_words(place) not in malformed:
            yield _complaint(place, at_place, document)


def _is_echo(error: Any) -> bool:  # noqa: ANN401 (a TypedDict of pydantic-core)
    """Tell whether it only repeats that items of a list are wrong: pydantic counts the right ones."""
    return error["type"] == "too_short" and len(error["input"]) >= int(error["ctx"]["min_length"])


def _place(location: tuple[Any, ...], values: object) -> Place:
    """Cut pydantic's location down to what is in the file: it also names the branch of a union that was tried."""
    place: list[str | int] = []
    for part in location:
        if (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            values = values[part]
        elif isinstance(values, dict) and part == location[-1]:
            place.append(part)  # a missing key
            break
        else:
            break
        place.append(part)
    return tuple(place)


def _complaint(place: Place, errors: list[Any], document: Document) -> Problem:
    error = errors[0]
    if error["type"] == "missing":
        position = document.position(place[:-1], of_key=True)
        message, suggestion = "missing; it has no default", ""
    elif error["type"] == "extra_forbidden":
        position = document.position(place, of_key=True)
        message, suggestion = _unknown_key(place)
    else:
        position = document.position(place, of_key=False)
        message, suggestion = _wrong_value(errors)
    line, column = (position.line, position.column) if position else (None, None)
    return Problem(path_words(place), message, line, column, suggestion)


def _unknown_key(place: Place) -> tuple[str, str]:
    key, section = str(place[-1]), place[:-1]
    siblings = known_keys(section)
    if section[:1] == ("train",) and len(section) == 1 + isinstance(section[-1], int):
        siblings = [*siblings, *(flag for flag in known_flags() if flag not in OUR_FLAGS)]
    if near := difflib.get_close_matches(key, siblings, n=1, cutoff=0.6):
        return f"unknown key: {key}", near[0]
    if homes := sections_with(key):
        return f"unknown key here: {key}", path_words(homes[0])
    return f"unknown key: {key}", ""


def _wrong_value(errors: list[Any]) -> tuple[str, str]:
    # Of a union's branches, the one that took the value and found it out of range says the most.
    telling = [error for error in errors if error["type"] not in _TYPE_ERRORS]
    if telling:
        return _telling(telling[0]), ""
    found = errors[0]["input"]
    choices = [choice for error in errors if error["type"] == "literal_error" for choice in _choices(error)]
    kinds = [_EXPECTED[error["type"]] for error in errors if error["type"] in _EXPECTED]
    *others, last = dict.fromkeys([*choices, *kinds])
    expected = f"{', '.join(others)} or {last}" if others else last
    return f"expected {expected}, found {_found(found)}{_quotes(kinds, found)}", _nearest(found, choices, kinds)


def _choices(error: Any) -> list[str]:  # noqa: ANN401 (a TypedDict of pydantic-core)
    return [part.strip("' ") for part in str(error["ctx"]["expected"]).replace(" or ", ", ").split(", ")]


def _nearest(found: object, choices: list[str], kinds: list[str]) -> str:
    if "true or false" in kinds:
        return _YAML_1_1.get(str(found).lower(), "")
    near = difflib.get_close_matches(str(found), choices, n=1, cutoff=0.6)
    return near[0] if near and near[0] != found else ""


def _telling(error: Any) -> str:  # noqa: ANN401 (a TypedDict of pydantic-core)
    kind, context, found = error["type"], error.get("ctx", {}), error["input"]
    if kind == "rule":
        return str(error["msg"])
    if kind == "value_error":
        return str(context["error"])
    if context.get("pattern") == SECRET_NAME:
        # Somebody may have written the secret itself; it must not end in a log.
        return f"expected {WORDS[SECRET_NAME]}"
    return f"expected {_bound(kind, context)}, found: {'nothing' if found in ('', []) else found}"


def _bound(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than" | "greater_than_equal" | "less_than_equal":
            word, name = _LIMITS[kind]
            return f"{word} {context[name]:,g}"
        case "too_short" | "string_too_short":
            return f"at least {context['min_length']}"
        case "too_long" | "string_too_long":
            return f"at most {context['max_length']:,}"
        case "string_pattern_mismatch":
            return WORDS[context["pattern"]]
        case "finite_number":
            return "a finite number"
        case _:
            return kind.replace("_", " ")


def _found(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the word: {str(value).lower()}"
        case str():
            return f"the text: {value}"
        case int() | float():
            return f"the number: {value}"
        case list():
            return "a list"
        case _:
            return "keys with values"


def _quotes(kinds: list[str], found: object) -> str:
    if kinds == ["text"] and isinstance(found, int | float):
        return " (quote it)"
    if isinstance(found, str) and any(kind in {"a number", "a whole number"} for kind in kinds) and _is_number(found):
        return " (leave out the quotes)"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
