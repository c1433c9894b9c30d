"""What is asked of the user at a terminal when a run has failed."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from cli.failure import _ask
from runs.after_failure import FailureQuestion

QUESTION = FailureQuestion(
    run_id="tiny-aaaaaa",
    fact="the loss is not finite",
    would_do="deallocate",
    has_checkpoints=True,
    running_dollars_per_hour=14.69,
    asleep_dollars_per_hour=0.19,
)


def answer_to(typed: str) -> tuple[str, str]:
    """The answer that counts, and everything that was shown."""
    app = typer.Typer()
    answers: list[str] = []

    @app.command()
    def ask() -> None:
        answers.append(_ask(QUESTION))

    result = CliRunner().invoke(app, [], input=typed)
    assert result.exit_code == 0, result.output
    return answers[0], result.stderr


def test_the_question_has_the_price_of_each_answer() -> None:
    """By the hour and by the day, and what a teardown loses; Enter does what would be done anyway."""
    answer, shown = answer_to("\n")
    assert answer == "deallocate"
    assert "the loss is not finite" in shown
    assert "$0.1900 an hour, $4.56 a day" in shown
    assert "$14.69 an hour, $352.56 a day" in shown
    assert "checkpoints on its disk are lost" in shown


def test_anything_else_is_asked_again() -> None:
    """A typing mistake deletes nothing."""
    assert answer_to("tear\nkeep\n")[0] == "keep"
