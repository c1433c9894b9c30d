"""`llamalift evaluate`: models are scored on tasks of lm-evaluation-harness, on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Models' folders, as NAME=FOLDER or FOLDER; all are set beside the first.", show_default=False
        ),
    ],
    *,
    tasks: Annotated[
        list[str], typer.Option("--task", "-t", help="A task, open-llm-leaderboard or leaderboard; may be repeated.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the table and all scores.")] = Path(
        "results"
    ),
    task_folder: Annotated[
        Path | None, typer.Option(help="A folder of tasks of your own: YAML files, and the data beside them.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most questions of each task.")] = None,
    shots: Annotated[int | None, typer.Option(min=0, help="Examples before each question.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions at once.")] = 8,
    python: Annotated[
        Path | None, typer.Option("--python", help="A Python that has torch, transformers and lm-eval.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Score models side by side, with standard errors. Stopped or killed, the same command goes on."""
    from cli.console import talk
    from runs.at_home import asked_as
    from runs.at_home import evaluate as score
    from runs.spec.after import Evaluate

    asked = asked_as(
        Evaluate,
        {
            "tasks": tasks, "task_folder": task_folder and str(task_folder), "limit": limit, "shots": shots,
            "batch_size": batch_size,
        },
    )  # fmt: skip
    folders = dict(_named(model) for model in models)
    table = score(folders, output, asked, python=python, say=lambda line: talk().print(line, markup=False))
    typer.echo((output / "evaluation.json").read_text() if as_json else table)


def _named(model: str) -> tuple[str, Path]:
    name, equals, folder = model.partition("=")
    return (name, Path(folder)) if equals else (Path(model).resolve().name, Path(model))
