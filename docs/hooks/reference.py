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


_GENERATORS = {"run-file": run_file, "cli": commands, "errors": errors}
