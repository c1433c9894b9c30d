"""`llamalift schema`: the JSON Schema of the run file, or of what a command answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def schema(
    command: Annotated[
        str | None,
        typer.Argument(help="Of what this command prints with --json; else of the run file.", show_default=False),
    ] = None,
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the run file's reference page instead.")] = False,
    as_json: Annotated[  # noqa: ARG001 (JSON is what it prints anyway)
        bool, typer.Option("--json", help="Print JSON (the default).")
    ] = False,
) -> None:
    """Print the run file's JSON Schema, for editors, or that of a command's answer, for scripts."""
    import json

    from runs.spec.reference import reference_markdown, run_file_schema

    if markdown and command is not None:
        raise typer.BadParameter("the reference page is the run file's; an answer has a schema only")
    if markdown:
        typer.echo(reference_markdown(), nl=False)
        return
    typer.echo(json.dumps(run_file_schema() if command is None else _of_answer(command), indent=2))


def _of_answer(command: str) -> dict[str, Any]:
    import difflib

    from cli.answers.known import ANSWERS
    from cli.answers.schema import answer_schema
    from runs.errors import SpecError

    if command not in ANSWERS:
        near = difflib.get_close_matches(command, ANSWERS, n=1, cutoff=0.5)
        hint = f"did you mean `llamalift schema {near[0]}`?" if near else f"there are {', '.join(ANSWERS)}"
        raise SpecError(f"no such answer: {command}", hint=hint)
    return answer_schema(command)
