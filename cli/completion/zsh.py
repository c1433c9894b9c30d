"""The script for zsh; its own `_arguments` does the work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cli.completion.words import Kind
from cli.start import RUN_IDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.completion.words import Command, Option, Value

_HEAD = f"""\
#compdef llamalift
# Completion of llamalift in zsh. Written by `llamalift completion zsh`: write it anew after an upgrade.
_llamalift_run_ids() {{
    local -a ids
    ids=("${{(@f)$(llamalift {RUN_IDS} $1 2>/dev/null)}}")
    ids=("${{(@)ids/$'\\t'/:}}")
    [[ -n $ids[1] ]] && _describe run ids
}}

_llamalift() {{
    local context state state_descr line curcontext="$curcontext"
    typeset -A opt_args
    _arguments -C '--help[Show what there is]' '--version[Print the version]' '1:command:->command' \\
        '*::argument:->argument'
    case $state in
        command)
            local -a commands
            commands=(
"""

_MIDDLE = """\
            )
            _describe command commands
            ;;
        argument)
            case $line[1] in
"""

_TAIL = """\
            esac
            ;;
    esac
}

if [[ $funcstack[1] == _llamalift ]]; then _llamalift "$@"; else compdef _llamalift llamalift; fi
"""


def script(commands: Sequence[Command]) -> str:
    """Write it."""
    names = [f"                {_quoted(f'{one.name}:{_plain(one.help)}')}\n" for one in commands]
    specs = [f"                {one.name}) _arguments {' '.join(_specs(one))} ;;\n" for one in commands]
    return "".join([_HEAD, *names, _MIDDLE, *specs, _TAIL])


def _specs(command: Command) -> list[str]:
    arguments = list(command.arguments)
    # What follows the last one is not ours: a command line of another machine.
    open_ended = [] if not command.is_open else [_quoted(f"*:{arguments.pop().name}:")]
    placed = [
        _quoted(f"{place}:{argument.name}:{_action(argument)}") for place, argument in enumerate(arguments, start=1)
    ]
    return [*(spec for option in command.options for spec in _option(option)), *placed, *open_ended]


def _option(option: Option) -> list[str]:
    value = "" if option.value is None else f":{option.value.name}:{_action(option.value)}"
    return [_quoted(f"{name}[{_plain(option.help)}]{value}") for name in option.names]


def _action(value: Value) -> str:
    match value.kind:
        case Kind.CHOICE:
            return f"({' '.join(value.choices)})"
        case Kind.RUN:
            return "_llamalift_run_ids"
        case Kind.ACTIVE_RUN:
            return "{_llamalift_run_ids active}"
        case Kind.FILE:
            return "_files"
        case Kind.FOLDER:
            return "_files -/"
    return ""


def _plain(text: str) -> str:
    """Help without what `_arguments` reads as its own."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
