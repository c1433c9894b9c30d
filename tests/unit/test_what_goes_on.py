"""What the user is told when nobody drives a run any more, and what is done after a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from cli.failure import options_of
from cli.journey import what_goes_on
from cli.options import OnFailure
from provisioning.errors import ProvisioningError
from remote.errors import UnreachableError
from runs.after_failure import Aftermath, FailureQuestion, settle
from runs.errors import NotCollectedError, TrainingFailedError
from runs.facts import Collected, Leaving, Rented, Searching, Submitted, Trained
from runs.journal import Journal
from runs.run import Run
from runs.spec.run_file import RunFile
from runs.state_folder import StateFolder
from runs.types import EffectMoment, RunRow, RunState
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from pathlib import Path

RUN_ID = "tiny-aaaaaa"
DECIDED = decided(dollars_per_hour=14.69, dollars_cap=60.0)
LIFE: list[Any] = [
    Rented("/vm", "127.1.2.3", 22, "llama", "eastus", None),
    Submitted(1.0),
    Trained(9, 1.0, 1.0),
    Collected("/model", 1, 1, "0"),
    Leaving(1.0),
]


def a_run(tmp_path: Path, facts: list[Any], *, rented: bool = True, on_failure: str = "auto") -> Run:
    """A run that came as far as its last fact."""
    state = StateFolder(tmp_path / "state")
    journal = Journal(state.journal)
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "data.json").write_text("[]")
    text = "name: tiny\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: ./data.json}\n"
    text += f"on_failure: {on_failure}\n"
    row = RunRow(RUN_ID, "tiny", "rehearsal", 1.0, str(tmp_path / "run.yaml"), text, "0" * 64, RunState.ACTIVE)
    journal.add_run(row)
    if rented:
        journal.note_effect(RUN_ID, EffectMoment.CREATE_INTENDED, kind="disk", name="d", resource_id="/d")
    for fact in facts:
        journal.put(RUN_ID, fact)
    return Run(row, state, journal)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([DECIDED], "may still appear"),
        ([DECIDED, *LIFE[:1]], "the machine stays up at $14.69 an hour"),
        ([DECIDED, *LIFE[:2]], "the job goes on by itself"),
        ([DECIDED, *LIFE[:3]], "the model waits on the machine"),
        ([DECIDED, *LIFE[:4]], "the model is home"),
        ([DECIDED, *LIFE], "its deletion has begun"),
    ],
)
def test_an_interruption_tells_the_furthest_that_is_known(tmp_path: Path, facts: list[Any], told: str) -> None:
    """Never that a job goes on which is done."""
    assert told in what_goes_on(a_run(tmp_path, facts))


def test_between_two_walks_nothing_is_rented(tmp_path: Path) -> None:
    """A search that is to go on for hours keeps nothing in the cloud meanwhile; in a walk something may appear."""
    pausing = what_goes_on(a_run(tmp_path / "a", [DECIDED, Searching(until=9e9)]))
    assert pausing.startswith("no machine is rented; `resume` goes on looking for one until ")
    walking = what_goes_on(a_run(tmp_path / "b", [DECIDED, Searching(until=9e9, walk_after=3)]))
    assert walking == "what was being created in the cloud may still appear"


def test_before_anything_was_rented_nothing_goes_on(tmp_path: Path) -> None:
    """No intent in the journal: nothing can exist."""
    assert what_goes_on(a_run(tmp_path, [], rented=False)) == "nothing was rented yet"


@pytest.mark.parametrize(
    ("facts", "on_failure", "error", "aftermath"),
    [
        (LIFE[:1], "keep", ProvisioningError("no"), Aftermath.KEPT),
        (LIFE[:2], "auto", UnreachableError("no"), Aftermath.KEPT),
        (LIFE[:2], "teardown", UnreachableError("no"), Aftermath.KEPT),
        (LIFE, "teardown", ProvisioningError("no"), Aftermath.KEPT),
    ],
    ids=["told to", "connection lost", "connection lost though told to tear down", "teardown failed"],
)
def test_what_is_kept_needs_no_cloud(
    tmp_path: Path, facts: list[Any], on_failure: str, error: Exception, aftermath: Aftermath
) -> None:
    """Nothing is asked of the cloud, and nothing begins to be deleted."""
    run = a_run(tmp_path, facts, on_failure=on_failure)
    with run.context() as context:
        assert settle(context, error) is aftermath
        assert context._cloud is None


@pytest.mark.parametrize(
    ("facts", "error", "told", "aftermath"),
    [
        ([DECIDED, *LIFE[:1]], ProvisioningError("no"), "teardown", Aftermath.KEPT),
        ([DECIDED, *LIFE[:2]], TrainingFailedError("no"), "deallocate", Aftermath.KEPT),
        ([DECIDED, *LIFE[:2]], UnreachableError("no"), "", Aftermath.KEPT),
        ([DECIDED, *LIFE], ProvisioningError("no"), "", Aftermath.KEPT),
    ],
    ids=["no job yet", "the job failed", "the job may run", "teardown failed"],
)
def test_the_user_is_asked_only_where_the_answer_counts(
    tmp_path: Path, facts: list[Any], error: Exception, told: str, aftermath: Aftermath
) -> None:
    """With what each answer costs; a job that may still run is never put to the vote."""
    asked: list[FailureQuestion] = []

    def ask(question: FailureQuestion) -> str:
        asked.append(question)
        return "keep"

    run = a_run(tmp_path, facts, on_failure="ask")
    with run.context() as context:
        assert settle(context, error, "", ask) is aftermath
    assert [question.would_do for question in asked] == ([told] if told else [])
    for question in asked:
        words = dict(options_of(question))
        assert "$14.69 an hour" in words["keep"]
        assert "$0.0060 an hour" in words["deallocate"]
        assert ("checkpoints" in words["teardown"]) == (told == "deallocate")
        assert "the answer was: keep" in run.journal.events(RUN_ID)[-1].text


def test_the_command_line_overrides_the_run_file(tmp_path: Path) -> None:
    """`--on-failure keep` keeps what the file would tear down; nobody to ask is as good as `auto`."""
    run = a_run(tmp_path, [DECIDED, *LIFE[:1]], on_failure="teardown")
    with run.context() as context:
        assert settle(context, ProvisioningError("no"), "keep") is Aftermath.KEPT
    run = a_run(tmp_path / "asked", [DECIDED, *LIFE[:2]], on_failure="ask")
    with run.context() as context:
        assert settle(context, UnreachableError("no")) is Aftermath.KEPT


def test_the_option_knows_the_words_of_the_run_file() -> None:
    """Neither has a word that the other lacks."""
    words = get_args(get_args(get_args(OnFailure)[0])[0])
    assert words == get_args(RunFile.model_fields["on_failure"].annotation)


def test_nothing_rented_needs_no_cleaning(tmp_path: Path) -> None:
    """A sign-in that fails leaves nothing behind."""
    with a_run(tmp_path, [], rented=False).context() as context:
        assert settle(context, ProvisioningError("no")) is Aftermath.NOTHING_RENTED


@pytest.mark.parametrize("facts", [LIFE[:2], LIFE], ids=["not trained", "machine gone"])
def test_collecting_what_is_not_there_is_refused_at_once(tmp_path: Path, facts: list[Any]) -> None:
    """No machine is asked; a machine that is gone would be waited for for minutes."""
    with pytest.raises(NotCollectedError):
        a_run(tmp_path, facts).collect()
