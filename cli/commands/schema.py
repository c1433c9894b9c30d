"""`llamalift schema`: the run file's JSON Schema, or its reference page."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference page instead.")] = False,
    as_json: Annotated[  # noqa: ARG001 (JSON is what it prints anyway)
        bool, typer.Option("--json", help="Print JSON (the default).")
    ] = False,
) -> None:
    """Print the run file's JSON Schema, for editors."""
    import json

    from runs.spec.reference import reference_markdown, run_file_schema

    typer.echo(reference_markdown() if markdown else json.dumps(run_file_schema(), indent=2), nl=not markdown)
