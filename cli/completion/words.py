"""What can be typed after `llamalift`, read from the command line itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# These go on with a run, or end it: one of which nothing is left is no help there.
_OF_ACTIVE_RUNS = frozenset({"resume", "extend", "pause", "down", "ssh", "ssh-config", "allow-me"})
_ASKS_RUN = frozenset({"run", "runs", "run_id"})


class Kind(StrEnum):
    """What a value may be."""

    RUN = "run"
    ACTIVE_RUN = "active-run"
    FILE = "file"
    FOLDER = "folder"
    CHOICE = "choice"
    ANYTHING = "anything"


@dataclass(frozen=True, slots=True)
class Value:
    """What an argument or an option takes: its kind, and its words where only some will do."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names, what it is for in a line, and its value unless it is a switch."""

    names: tuple[str, ...]
    help: str
    value: Value | None


@dataclass(frozen=True, slots=True)
class Command:
    """One command with everything that may follow it; the last of `arguments` may be repeated when `is_open`."""

    name: str
    help: str
    arguments: tuple[Value, ...]
    options: tuple[Option, ...]
    is_open: bool = False


def commands() -> Sequence[Command]:
    """Every command that is not hidden, in the order of `--help`."""
    import typer

    from cli.app import app

    group: Any = typer.main.get_command(app)
    return [_command(name, one) for name, one in group.commands.items() if not one.hidden]


def _command(name: str, command: Any) -> Command:  # noqa: ANN401 - Typer's own type is private
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    return Command(
        name=name,
        help=_first_sentence(command.help or ""),
        arguments=tuple(_value(name, one) for one in arguments),
        options=(*(_option(name, one) for one in options), Option(("--help",), "Show what it does and takes", None)),
        is_open=bool(arguments) and arguments[-1].nargs == -1,
    )


def _option(command: str, option: Any) -> Option:  # noqa: ANN401 - Typer's own type is private
    names = (*option.opts, *option.secondary_opts)
    return Option(names, _first_sentence(option.help or ""), None if option.is_flag else _value(command, option))


def _value(command: str, parameter: Any) -> Value:  # noqa: ANN401 - Typer's own type is private
    kinds = list(_flat(parameter.type_descriptor.annotation))
    choices = tuple(str(word) for kind in kinds if get_origin(kind) is Literal for word in get_args(kind))
    name = str(parameter.name)
    if not choices and name == "cloud":
        choices = ("azure", "rehearsal")
    if choices:
        return Value(name, Kind.CHOICE, choices)
    if name in _ASKS_RUN:
        return Value(name, Kind.ACTIVE_RUN if command in _OF_ACTIVE_RUNS else Kind.RUN)
    if Path in kinds or name.endswith("file"):
        return Value(name, Kind.FOLDER if name == "folder" else Kind.FILE)
    return Value(name, Kind.ANYTHING)


def _flat(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - a type, whichever
    """The parts of `A | None`."""
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        for part in get_args(annotation):
            yield from _flat(part)
    else:
        yield annotation


def _first_sentence(text: str) -> str:
    """The first sentence, on one line, without what a shell would take for its own."""
    line = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    end = line.find(". ")
    return (line if end < 0 else line[: end + 1]).rstrip(".")
