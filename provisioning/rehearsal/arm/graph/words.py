"""A query as a list of words: names, strings, numbers and signs, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

WordKind: TypeAlias = Literal["name", "string", "number", "sign", "end"]

_PATTERN = re.compile(
    r"(?P<skip>\s+|//[^\n]*)"
    r"|(?P<name>!?[A-Za-z_][A-Za-z_0-9]*~?)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|'(?P<single>(?:[^'\\\n]|\\.)*)'"
    r'|"(?P<double>(?:[^"\\\n]|\\.)*)"'
    r"|(?P<sign>=~|==|!=|!~|<=|>=|[<>|.,()\[\]=])"
    r"|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a query.

    Attributes:
        kind: What it is.
        text: As it stands there; a string without its quotes.
        line: Counted from 1.
        column: Counted from 0, as Resource Graph does.
    """

    kind: WordKind
    text: str
    line: int
    column: int

    def says(self, *texts: str) -> bool:
        """Whether it is one of these names or signs; operators are not sensitive to case here."""
        return self.kind in {"name", "sign"} and self.text.lower() in texts


def split(query: str) -> list[Word]:
    """The words of `query`, the last of kind `end`. A character that no query may have is a sign of its own."""
    words = []
    for match in _PATTERN.finditer(query):
        kind = match.lastgroup or "other"
        if kind == "skip":
            continue
        line = query.count("\n", 0, match.start()) + 1
        column = match.start() - (query.rfind("\n", 0, match.start()) + 1)
        words.append(Word(_kind(kind), _text(match, kind), line, column))
    last_line = query.rpartition("\n")[2]
    return [*words, Word("end", "", query.count("\n") + 1, len(last_line))]


def _kind(group: str) -> WordKind:
    kinds: dict[str, WordKind] = {"name": "name", "number": "number", "single": "string", "double": "string"}
    return kinds.get(group, "sign")


def _text(match: re.Match[str], kind: str) -> str:
    text = match[kind]
    return re.sub(r"\\(.)", r"\1", text) if kind in {"single", "double"} else text
