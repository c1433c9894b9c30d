"""The script for bash, from 3.2 (macOS) on: no associative arrays, no `compopt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.completion.words import Kind
from cli.start import RUN_IDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.completion.words import Command, Value

_HEAD = f"""\
# Completion of llamalift in bash. Written by `llamalift completion bash`: write it anew after an upgrade.
_llamalift_run_ids() {{ llamalift {RUN_IDS} "$@" 2>/dev/null | cut -f1; }}

_llamalift() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local command= options= takes= kind= position=0 i word
    # bash takes --option=value apart
    if [[ $cur == = ]]; then cur=; elif [[ $previous == = ]]; then previous=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${{COMP_WORDS[i]}} == -* ]] || {{ command=${{COMP_WORDS[i]}}; break; }}
    done
    case $command in
"""

_MIDDLE = """\
    esac
    for ((i++; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ " $takes " == *" $word "* ]]; then
            [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))
            ((i++))
        elif [[ $word != -* ]]; then
            ((position++))
        fi
    done
    if [[ -n $command && " $takes " == *" $previous "* ]]; then
        position=$previous
    elif [[ $cur == -* || -z $command ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi
    case "$command $position" in
"""

_TAIL = """\
        *) COMPREPLY=($(compgen -W "$options" -- "$cur")) ;;
    esac
}

complete -o default -F _llamalift llamalift
"""


def script(commands: Sequence[Command]) -> str:
    """Write it."""
    names = " ".join([command.name for command in commands] + ["--help", "--version"])
    options = [_options(command) for command in commands]
    values = [line for command in commands for line in _values(command)]
    return "".join([_HEAD, *options, f"        *) options='{names}' ;;\n", _MIDDLE, *values, _TAIL])


def _options(command: Command) -> str:
    every = " ".join(name for option in command.options for name in option.names)
    takes = " ".join(name for option in command.options if option.value for name in option.names)
    return f"        {command.name}) options='{every}' takes='{takes}' ;;\n"


def _values(command: Command) -> Iterator[str]:
    for option in command.options:
        if option.value is not None:
            places = "|".join(f"'{command.name} {name}'" for name in option.names)
            yield f"        {places}) {_reply(option.value)} ;;\n"
    for position, argument in enumerate(command.arguments):
        yield f"        '{command.name} {position}') {_reply(argument)} ;;\n"


def _reply(value: Value) -> str:
    match value.kind:
        case Kind.CHOICE:
            words = f'"{" ".join(value.choices)}"'
        case Kind.RUN:
            words = '"$(_llamalift_run_ids)"'
        case Kind.ACTIVE_RUN:
            words = '"$(_llamalift_run_ids active)"'
        case _:
            # An empty answer is completed by bash itself, with files.
            return "COMPREPLY=()"
    return f'COMPREPLY=($(compgen -W {words} -- "$cur"))'
