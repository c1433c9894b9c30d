"""Everything that is wrong with a run file, a line each, in the form that editors and terminals make clickable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.errors import Problem, SpecError


def problem_line(problem: Problem, file: str) -> str:
    """Write one problem as `file:line:column: path: message (did you mean x?)`."""
    where = ":".join(str(part) for part in (file, problem.line, problem.column) if part is not None)
    path = f"{problem.path}: " if problem.path else ""
    suggestion = f" (did you mean {problem.suggestion}?)" if problem.suggestion else ""
    return f"{where}: {path}{problem.message}{suggestion}"


def print_problems(error: SpecError) -> None:
    """Print to stderr: the fact, a line for each problem, then the next command."""
    from rich.text import Text

    from cli.console import talk

    console = talk()
    console.print(Text.assemble(("error:", "bold red"), f" {error.fact}"))
    for problem in error.problems:
        console.print(Text(problem_line(problem, error.file)))
    if error.hint:
        console.print(Text.assemble("\n", ("hint:", "bold cyan"), f" {error.hint}"))
