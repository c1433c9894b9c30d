"""The script for fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.completion.words import Kind
from cli.start import RUN_IDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.completion.words import Command, Option, Value

_HEAD = f"""\
# Completion of llamalift in fish. Written by `llamalift completion fish`: write it anew after an upgrade.
function __llamalift_run_ids
    llamalift {RUN_IDS} $argv 2>/dev/null
end

complete -c llamalift -f
complete -c llamalift -n __fish_use_subcommand -l help -d 'Show what there is'
complete -c llamalift -n __fish_use_subcommand -l version -d 'Print the version'
"""


def script(commands: Sequence[Command]) -> str:
    """Write it."""
    return _HEAD + "".join(f"{line}\n" for command in commands for line in _lines(command))


def _lines(command: Command) -> Iterator[str]:
    yield f"complete -c llamalift -n __fish_use_subcommand -a {command.name} -d {_quoted(command.help)}"
    here = f"complete -c llamalift -n '__fish_seen_subcommand_from {command.name}'"
    for option in command.options:
        yield f"{here}{_names(option)} -d {_quoted(option.help)}{_offers(option.value, of_option=True)}"
    for argument in command.arguments:
        if offers := _offers(argument, of_option=False):
            yield f"{here}{offers}"


def _names(option: Option) -> str:
    long = [f" -l {name[2:]}" for name in option.names if name.startswith("--")]
    short = [f" -s {name[1:]}" for name in option.names if not name.startswith("--")]
    return "".join(long + short)


def _offers(value: Value | None, *, of_option: bool) -> str:
    if value is None:
        return ""
    needs = " -x" if of_option else ""
    match value.kind:
        case Kind.CHOICE:
            return f"{needs} -a {_quoted(' '.join(value.choices))}"
        case Kind.RUN:
            return f"{needs} -k -a '(__llamalift_run_ids)'"
        case Kind.ACTIVE_RUN:
            return f"{needs} -k -a '(__llamalift_run_ids active)'"
        case Kind.FILE | Kind.FOLDER:
            return " -r -F" if of_option else " -F"
    return needs


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
