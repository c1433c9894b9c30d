"""Every error of ours has its exit code; a bug keeps its traceback."""

from __future__ import annotations

import pytest

from cli.boundary import exit_code, explain, guarded
from provisioning.errors import LeftoversError, ProvisioningError, QuotaError
from remote.errors import RemoteError, TransferError, UnreachableError
from runs.errors import JournalError, LeftoversRemainError, NotCollectedError, Problem, SpecError, TrainingFailedError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpecError("x"), 2),
        (NotCollectedError("x"), 2),
        (JournalError("x"), 2),
        (ProvisioningError("x"), 3),
        (QuotaError("x"), 3),
        (RemoteError("x"), 4),
        (UnreachableError("x"), 4),
        (TransferError("x"), 4),
        (TrainingFailedError("x"), 5),
        (LeftoversRemainError("x", ["/disk"]), 6),
        (LeftoversError("x", []), 6),
        (KeyError("x"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_has_the_exit_code_of_its_kind(error: Exception, code: int | None) -> None:
    """As docs/reference/exit-codes.md says."""
    assert exit_code(error) == code


def test_an_error_is_a_fact_and_a_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with brackets as they are, and nothing on stdout."""
    explain(TrainingFailedError("no model: [red]", hint="look [here]"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: no model: [red]\n\nhint: look [here]\n")


def test_every_problem_of_a_run_file_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """In the form that editors make clickable."""
    explain(SpecError("wrong", [Problem("a.b", "unknown key: b", 3, 5, "c")], file="run.yaml"))
    assert "run.yaml:3:5: a.b: unknown key: b (did you mean c?)" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    """It is not dressed up as the user's mistake."""

    def call() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        guarded(call)
