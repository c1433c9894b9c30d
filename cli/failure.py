"""What becomes of the machine when a run fails: the question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cli.reporting import PlainReporter, TreeReporter
    from runs.after_failure import Ask, FailureQuestion

_ANSWERS = ("teardown", "deallocate", "keep")
_HOURS_PER_DAY = 24


def asker(report: TreeReporter | PlainReporter) -> Ask | None:
    """Who asks; None where nobody can answer."""
    if not sys.stdin.isatty():
        return None

    def ask(question: FailureQuestion) -> str:
        with report.paused():
            return _ask(question)

    return ask


def _ask(question: FailureQuestion) -> str:
    from cli.console import talk

    console = talk()
    console.print(f"\n{question.run_id} has failed: {question.fact}", markup=False)
    for answer, words in options_of(question):
        console.print(f"  {answer:<11} {words}", markup=False)
    answer = ""
    while answer not in _ANSWERS:
        answer = str(typer.prompt("What shall become of the machine?", default=question.would_do, err=True)).strip()
    return answer


def options_of(question: FailureQuestion) -> list[tuple[str, str]]:
    """Each answer with what it does and what it costs."""
    lost = " and checkpoints on its disk are lost" if question.has_checkpoints else ""
    asleep, running = question.asleep_dollars_per_hour, question.running_dollars_per_hour
    return [
        ("teardown", f"delete everything{lost}; nothing is left to pay for"),
        ("deallocate", f"keep the disk for {_price(asleep)}"),
        ("keep", f"leave the machine up for {_price(running)}, until its own limits end it"),
    ]


def _price(dollars_per_hour: float) -> str:
    from cli.words import cents

    return f"{cents(dollars_per_hour)} an hour, {cents(dollars_per_hour * _HOURS_PER_DAY)} a day"
