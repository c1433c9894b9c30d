"""What becomes of the machine, by what the journal knows and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, QuotaError, TransientError
from remote.errors import TransferError, UnreachableError
from runs.after_failure import Aftermath, aftermath_of
from runs.errors import TrainingFailedError
from runs.facts import Leaving, Submitted, Trained
from runs.journal import Journal
from runs.types import EffectMoment, RunRow, RunState

if TYPE_CHECKING:
    from pathlib import Path

RUN = "tiny-aaaaaa"
HANDED_OVER = (Submitted(at=1.0),)
TRAINED = (Submitted(at=1.0), Trained(steps=1, loss=1.0, seconds=1.0))
FAILED = TrainingFailedError("it ended")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with one run that owns a machine."""
    made = Journal(tmp_path / "journal.sqlite")
    made.add_run(RunRow(RUN, "tiny", "azure", 1.0, "run.yaml", "", "0", RunState.ACTIVE))
    made.note_effect(RUN, EffectMoment.CREATE_INTENDED, kind="virtual machine", name="vm", resource_id="/vm")
    return made


@pytest.mark.parametrize(
    ("policy", "facts", "error", "expected"),
    [
        ("auto", (), CapacityError("full"), Aftermath.DELETED),
        ("auto", (), UnreachableError("silent"), Aftermath.DELETED),
        ("keep", (), CapacityError("full"), Aftermath.KEPT),
        ("deallocate", (), TransferError("cut"), Aftermath.DEALLOCATED),
        ("auto", HANDED_OVER, FAILED, Aftermath.DEALLOCATED),
        ("auto", HANDED_OVER, CapacityError("full after an eviction"), Aftermath.WAITING),
        ("teardown", HANDED_OVER, QuotaError("nothing left"), Aftermath.WAITING),
        ("teardown", HANDED_OVER, FAILED, Aftermath.DELETED),
        ("keep", HANDED_OVER, FAILED, Aftermath.KEPT),
        ("auto", TRAINED, TransferError("disk full at home"), Aftermath.DEALLOCATED),
        ("auto", (*TRAINED, Leaving(at=2.0)), TransientError("no network"), Aftermath.KEPT),
    ],
)
def test_the_policy_decides(
    journal: Journal, policy: str, facts: tuple[object, ...], error: Exception, expected: Aftermath
) -> None:
    """`auto` deletes while no checkpoint can exist, and keeps the disk after that."""
    for fact in facts:
        journal.put(RUN, fact)  # type: ignore[arg-type]
    assert aftermath_of(journal, RUN, policy, error) is expected


@pytest.mark.parametrize("policy", ["auto", "teardown", "deallocate", "keep"])
@pytest.mark.parametrize("error", [TransientError("no network"), UnreachableError("silent")])
def test_a_job_that_may_still_run_is_never_touched(journal: Journal, policy: str, error: Exception) -> None:
    """Trouble with the cloud or the connection during training is not the job's failure, whatever the policy says."""
    journal.put(RUN, HANDED_OVER[0])
    assert aftermath_of(journal, RUN, policy, error) is Aftermath.KEPT


def test_where_nothing_was_rented_nothing_is_done(tmp_path: Path) -> None:
    """A run that failed before its first intent owns nothing."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.add_run(RunRow(RUN, "tiny", "azure", 1.0, "run.yaml", "", "0", RunState.ACTIVE))
    assert aftermath_of(journal, RUN, "teardown", CapacityError("full")) is Aftermath.NOTHING_RENTED
