"""`up --json` tells all that happens, in order, and does not mind when nobody listens."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from cli.answers.schema import answer_schema
from cli.event_stream import Both, EventStream, events
from runs.errors import Problem, SpecError, TrainingFailedError
from runs.journal import Journal
from runs.run import Run
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, Silent, StageName

if TYPE_CHECKING:
    from pathlib import Path

VALIDATOR = Draft202012Validator(answer_schema("up"))


def run_of(tmp_path: Path) -> Run:
    """A run that the journal knows."""
    state = StateFolder(tmp_path)
    journal = Journal(state.journal)
    row = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, "run.yaml", "", "0", RunState.ENDED)
    journal.add_run(row)
    return Run(row, state, journal)


def lines(text: str) -> list[dict[str, Any]]:
    """Each line as an object, held to the schema."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        VALIDATOR.validate(one)
    return found


def test_every_event_is_a_line_of_its_schema(tmp_path: Path) -> None:
    """All that a reporter can be told, and what begins a run."""
    out = io.StringIO()
    stream = EventStream(out)
    stream.begins(run_of(tmp_path))
    both = Both(Silent(), stream)
    both.started(StageName.SYNC, "sending")
    both.waiting(StageName.SYNC, "the machine")
    both.waiting(StageName.SYNC, "the machine")
    both.progress(StageName.SYNC, 5, 10, "bytes")
    both.progress(StageName.SYNC, 6, 10, "bytes")
    both.progress(StageName.SYNC, 10, 10, "bytes")
    both.done(StageName.SYNC, "sent", seconds=1.0)
    both.failed(StageName.TRAIN, "no", seconds=2.0)
    both.note("by the way")
    stream.stopped_by(TrainingFailedError("no", hint="look"))
    stream.ends(5)
    told = lines(out.getvalue())
    assert [one["event"] for one in told] == [
        "run", "stage-started", "stage-waiting", "stage-progress", "stage-progress", "stage-done", "stage-failed",
        "note", "error", "end",
    ]  # fmt: skip
    assert {one["run_id"] for one in told} == {"tiny-aaaaaa"}
    assert [one["done"] for one in told if one["event"] == "stage-progress"] == [5, 10]
    assert told[-1]["exit_code"] == 5
    assert told[-1]["receipt"]["run_id"] == "tiny-aaaaaa"


def test_a_wrong_run_file_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Before there is a run: every problem as a line, the exit code, and the error goes on its way."""
    error = SpecError("1 problem", [Problem("checkpoint", "unknown key", 3, 1, "checkpoints")], file="run.yaml")
    with pytest.raises(SpecError), events(wanted=True):
        raise error
    told = lines(capsys.readouterr().out)
    assert told[0]["problems"] == ["run.yaml:3:1: checkpoint: unknown key (did you mean checkpoints?)"]
    assert (told[1]["event"], told[1]["exit_code"]) == ("end", 2)


@pytest.mark.parametrize(("leaving", "code"), [(SystemExit(130), 130), (KeyboardInterrupt(), 130)])
def test_an_interruption_ends_the_stream(leaving: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader always gets an end, with the exit code that the command has."""
    with pytest.raises(type(leaving)), events(wanted=True):
        raise leaving
    assert [(one["event"], one["exit_code"]) for one in lines(capsys.readouterr().out)] == [("end", code)]


def test_a_reader_that_leaves_stops_nothing() -> None:
    """The run goes on; nothing more is written, and nothing comes up when the program ends."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        stream = EventStream(out)
        os.close(reading)
        stream.note("into the void")
        stream.note("again")


def test_nothing_is_printed_unless_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--json` standard output stays empty."""
    with events(wanted=False) as stream:
        assert stream is None
    assert capsys.readouterr().out == ""
