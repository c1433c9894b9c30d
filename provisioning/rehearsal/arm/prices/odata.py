"""The part of OData's `$filter` that the price feed understands: `eq`, `contains`, `and`, `or`, parentheses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.arm.json_types import Json

    Test: TypeAlias = Callable[[Json], bool]

_TOKEN = re.compile(r"\s*(?:(?P<mark>[(),])|(?P<text>'(?:[^']|'')*')|(?P<word>\w+))")


class FilterError(Exception):
    """The filter is not understood."""


def compiled(text: str) -> Test:
    """A test of one item. Values are compared with regard to case, as the API does since 2023.

    Raises:
        FilterError: The filter is not understood.
    """
    parser = _Parser(_tokens(text))
    test = parser.either()
    if parser.left:
        raise FilterError(f"unexpected at the end: {parser.left[0]}")
    return test


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FilterError(f"unexpected: {text[at:]}")
        found.append(match[0].strip())
        at = match.end()
    return found


class _Parser:
    """Recursive descent: `either` is a list of `both` joined by `or`, which is a list of terms joined by `and`."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def either(self) -> Test:
        tests = [self._both()]
        while self._is_next("or"):
            tests.append(self._both())
        return lambda item: any(test(item) for test in tests)

    def _both(self) -> Test:
        tests = [self._term()]
        while self._is_next("and"):
            tests.append(self._term())
        return lambda item: all(test(item) for test in tests)

    def _term(self) -> Test:
        if self._is_next("("):
            inner = self.either()
            self._expect(")")
            return inner
        name = self._take()
        if name == "contains":
            return self._contains()
        self._expect("eq")
        value = self._text()
        return lambda item: str(_field(item, name)) == value

    def _contains(self) -> Test:
        self._expect("(")
        name = self._take()
        self._expect(",")
        part = self._text()
        self._expect(")")
        return lambda item: part in str(_field(item, name))

    def _text(self) -> str:
        token = self._take()
        if not token.startswith("'"):
            raise FilterError(f"expected a text in quotes: {token}")
        return token[1:-1].replace("''", "'")

    def _is_next(self, token: str) -> bool:
        if self.left and self.left[0] == token:
            self.left.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._is_next(token):
            raise FilterError(f"expected '{token}' before: {' '.join(self.left[:1])}")

    def _take(self) -> str:
        if not self.left:
            raise FilterError("it ends too early")
        return self.left.pop(0)


def _field(item: Json, name: str) -> object:
    """Fields are called in filters as they are in answers, but for the type of a price."""
    key = "type" if name == "priceType" else name
    if key not in item:
        raise FilterError(f"no such property: {name}")
    return item[key]
