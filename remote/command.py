"""Commands as values: built by pure functions, quoted by type, printed without secrets; only the session runs them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MASK = "***"


@dataclass(frozen=True, slots=True)
class Secret:
    """A word that is run as it is and printed as `***`.

    It keeps a value out of our logs and messages, but not out of the machine's process list: tokens and passwords go
    through `remote.agent.put_secrets`.
    """

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Script:
    """A whole program as one word (for `python3 -c`), printed as `<label>`."""

    label: str
    source: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Syntax:
    """Shell syntax of our own combinators: never quoted."""

    text: str


@dataclass(frozen=True, slots=True)
class _Setting:
    """One `NAME=value` for `env`: a single shell word of which only a secret value is masked."""

    name: str
    value: str | Secret


Word = str | Secret | Script
_Part = Word | _Syntax | _Setting


def _raw(part: _Part) -> str:
    match part:
        case _Syntax(text):
            return text
        case Secret(value):
            return shlex.quote(value)
        case Script(source=source):
            return shlex.quote(source)
        case _Setting(name, value):
            return f"{name}={_raw(value)}"
        case str():
            return shlex.quote(part)


def _shown(part: _Part) -> str:
    match part:
        case Secret():
            return MASK
        case Script(label=label):
            return f"<{label}>"
        case _Setting(name, value):
            return f"{name}={_shown(value)}"
        case _:
            return _raw(part)


class Command:
    """A POSIX shell command. Every plain word is quoted; `str()` and `repr()` are masked; `render()` is what runs."""

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[_Part, ...]) -> None:
        self._parts = parts

    @classmethod
    def of(cls, *words: Word) -> Command:
        """A program and its arguments, each passed on exactly as given.

        Raises:
            ValueError: No word, or one with a NUL character, which no program can be given.
        """
        if not words:
            raise ValueError("a command needs at least one word")
        for word in words:
            if "\0" in _raw(word):
                raise ValueError(f"a command cannot hold a NUL character: {_shown(word)!r}")
        return cls(tuple(words))

    def and_then(self, other: Command) -> Command:
        """Run `other` if this one succeeds; together they are one unit."""
        return self._joined("&&", other)

    def or_else(self, other: Command) -> Command:
        """Run `other` if this one fails; together they are one unit."""
        return self._joined("||", other)

    def in_folder(self, folder: str) -> Command:
        """Run this one with `folder` as its working directory."""
        # `--` because a folder may begin with a dash; CDPATH plays no role for the absolute paths we use.
        return Command.of("cd", "--", folder).and_then(self)

    def with_environment(self, variables: Mapping[str, str | Secret]) -> Command:
        """Add environment variables; only a plain program can be given them.

        Raises:
            ValueError: A name that is no identifier, or this command is a combination.
        """
        if any(isinstance(part, _Syntax) for part in self._parts):
            raise ValueError(f"environment variables go to a single program: {self}")
        for name in variables:
            if not (name.isidentifier() and name.isascii()):
                raise ValueError(f"not an environment variable's name: {name!r}")
        if not variables:
            return self
        settings = [_Setting(name, value) for name, value in variables.items()]
        return Command((_Syntax("env"), *settings, *self._parts))

    def render(self) -> str:
        """The text for the shell, secrets included: never print or store it."""
        return " ".join(_raw(part) for part in self._parts)

    def masked(self, text: str) -> str:
        """`text` with every secret of this command replaced by `***`."""
        for part in self._parts:
            secret = part.value if isinstance(part, _Setting) else part
            if isinstance(secret, Secret) and secret.value:
                text = text.replace(secret.value, MASK)
        return text

    def __str__(self) -> str:
        return " ".join(_shown(part) for part in self._parts)

    def __repr__(self) -> str:
        return f"Command({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def _joined(self, operator: str, other: Command) -> Command:
        return Command((_Syntax("{"), *self._parts, _Syntax(operator), *other._parts, _Syntax("; }")))
