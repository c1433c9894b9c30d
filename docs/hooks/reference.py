"""Fills the reference pages from the code while the documentation is built, so that they cannot grow old.

A page says where: `<!-- begin generated: NAME -->` to `<!-- end generated: NAME -->`. What stands between the two is
for those who read the page unbuilt.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_PLACE = re.compile(r"<!-- begin generated: ([a-z-]+) -->.*?<!-- end generated: \1 -->", re.DOTALL)
_BRANCH = re.compile(r"^([│ ]*)[├└]── (\w+) +(.+)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """MkDocs calls this for every page."""
    return _PLACE.sub(lambda place: _GENERATORS[place[1]](), markdown)


def run_file() -> str:
    """Every key of the run file; the page has its own heading and introduction."""
    from runs.spec.reference import reference_markdown

    text = reference_markdown()
    return text[text.index("| key |") :]


def commands() -> str:
    """What `--help` says, for every command."""
    return "\n\n".join(_commands())


def _commands() -> Iterator[str]:
    import typer

    from cli.app import app

    group = typer.main.get_command(app)
    context = group.make_context("llamalift", [], resilient_parsing=True)
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield f"## `llamalift {name}`\n\n```text\n{command.get_help(inner)}\n```"


def errors() -> str:
    """Each layer's tree, as its module draws it, and what each error means."""
    from provisioning import errors as cloud
    from remote import errors as machine
    from runs import errors as run

    return "\n\n".join(_tree(module) for module in (run, cloud, machine))


def _tree(module: ModuleType) -> str:
    branches = _BRANCH.findall(inspect.getdoc(module) or "")
    rows = [f"| {'↳ ' * (len(indent) // 4)}`{name}` | {meaning} |" for indent, name, meaning in branches]
    return "\n".join([f"## `{module.__name__}`\n", "| error | means |", "|---|---|", *rows])


def answers() -> str:
    """What each command prints with `--json`."""
    from cli.answers.page import answers_markdown

    return answers_markdown()


def events() -> str:
    """What `up --json` tells, line by line."""
    from cli.answers.page import events_markdown

    return events_markdown()


def python_api() -> str:
    """`Run`, as its docstrings have it."""
    from runs import Run

    lines = [f"## `Run`\n\n{(inspect.getdoc(Run) or '').partition('Example:')[0].strip()}"]
    for name, member in vars(Run).items():
        if not name.startswith("_"):
            lines.append(_member(name, member))
    return "\n\n".join(lines)


def _member(name: str, member: object) -> str:
    if isinstance(member, property):
        return f"### `run.{name}`\n\n{inspect.getdoc(member)}"
    function = inspect.unwrap(getattr(member, "__func__", member))  # type: ignore[arg-type]
    owner = "Run" if isinstance(member, classmethod) else "run"
    signature = re.sub(r"\((self|cls)(, )?", "(", str(inspect.signature(function)).replace("'", ""))
    about = _sections(inspect.getdoc(function) or "")
    return f"### `{owner}.{name}`\n\n```python\n{owner}.{name}{signature}\n```\n\n{about}"


def _sections(text: str) -> str:
    """A docstring with its `Args:` and `Raises:` as lists."""
    lines, heading = [], False
    for line in text.splitlines():
        if line in ("Args:", "Raises:", "Returns:", "Example:"):
            lines.append(f"**{line[:-1]}**\n")
            heading = True
        elif heading and line.startswith("    ") and not line.startswith("     "):
            name, _, words = line.strip().partition(": ")
            lines.append(f"- `{name}`: {words}" if words else f"- {name}")
        else:
            # The rest of an entry stays in its item.
            lines.append(line if heading and line else line.strip())
    return "\n".join(lines)


_GENERATORS = {
    "run-file": run_file,
    "cli": commands,
    "errors": errors,
    "answers": answers,
    "events": events,
    "python-api": python_api,
}
