"""`llamalift logs` and `llamalift events` of a run whose machine is gone."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.app import app
from cli.events_screen import events_view
from runs.log_times import LogClock
from runs.timeline import Moment
from tests.fakes.lived_runs import LOG, RUN_ID, lived_run
from tests.fakes.seen_runs import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion
    from typer.testing import Result


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with one run that has ended."""
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(tmp_path))
    lived_run(tmp_path)
    return tmp_path


def say(*words: str) -> Result:
    """One command, well ended."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.usefixtures("home")
def test_a_log_is_shown_folded_and_harmless() -> None:
    """Of a bar its end, of escapes nothing; `--raw` has every byte."""
    assert say("logs", RUN_ID).stdout.splitlines() == [
        "phase: loading",
        "note: 1 token added to the vocabulary: [PAD]",
        "phase: training",
        "Map: 100%|##########|",
        "{'loss': '1.98', 'grad_norm': '1.1'}",
        "red words",
        "phase: saving_final",
    ]
    assert say("logs", "--raw", RUN_ID).stdout_bytes == LOG


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "first", "count"),
    [
        (("--grep", "^phase"), "phase: loading", 3),
        (("--stage", "training"), "phase: training", 4),
        (("--stage", "training", "--grep", "loss"), "{'loss': '1.98', 'grad_norm': '1.1'}", 1),
        (("--since", "1970-01-01"), "phase: loading", 7),
    ],
)
def test_lines_can_be_chosen(words: tuple[str, ...], first: str, count: int) -> None:
    """By a pattern, by a part of the training, by time, and by all of them."""
    lines = say("logs", *words, RUN_ID).stdout.splitlines()
    assert (lines[0], len(lines)) == (first, count)


def test_each_machines_log_is_shown_by_its_number(home: Path) -> None:
    """What came home of it; of a machine that the run never had, that is said."""
    (home / "runs" / RUN_ID / "train-2.log").write_text("of the second\n")
    assert say("logs", "--machine", "2", "--grep", "second", RUN_ID).stdout.splitlines() == ["of the second"]
    failed = CliRunner().invoke(app, ["logs", "--machine", "3", RUN_ID])
    assert getattr(failed.exception, "exit_code", None) == 2
    for words in (("--since", "1h"), ("--stage", "training")):
        refused = CliRunner().invoke(app, ["logs", "--machine", "2", *words, RUN_ID])
        assert refused.exit_code == 2
        assert "only the first machine's log" in refused.output


@pytest.mark.usefixtures("home")
def test_what_cannot_be_meant_is_told() -> None:
    """A part that the log has not is told with those that it has; a pattern or time that is none ends with code 2."""
    assert "it has loading, training, saving_final" in say("logs", "--stage", "nothing", RUN_ID).stderr
    for words in (("--grep", "("), ("--since", "yesterday")):
        failed = CliRunner().invoke(app, ["logs", *words, RUN_ID])
        assert getattr(failed.exception, "exit_code", None) == 2
        assert getattr(failed.exception, "hint", "")


def test_lines_have_the_times_of_what_the_trainer_told(tmp_path: Path) -> None:
    """A line between two that have one is as old as the one before it; a second attempt goes on in order."""
    metrics = tmp_path / "metrics.jsonl"
    events = [
        {"t": 10, "event": "phase", "name": "loading"},
        {"t": 20, "event": "step", "loss": 6.93512},
        {"t": 25, "event": "step", "loss": 5.0},
        {"t": 30, "event": "phase", "name": "loading"},
        {"t": 40, "event": "note", "text": "going on from checkpoint-2"},
        {"t": 50, "event": "step", "loss": 6.93512},
    ]
    metrics.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"half')
    log = ["before", "phase: loading (align)", "x", "{'loss': '6.935', 'a': '1'}", "phase: loading", "y"]
    log += ["note: going on from checkpoint-2", "{'loss': '6.935', 'a': '1'}", "note: never told"]
    clock = LogClock.of(metrics)
    seen = [clock.see(line) for line in log]
    assert [where.at for where in seen] == [None, 10, 10, 20, 30, 30, 40, 50, 50]
    assert (seen[2].phase, seen[2].stage, seen[5].stage) == ("loading", "align", "")


def test_events_tell_everything_in_order(home: Path) -> None:
    """Search, cloud, stages, saves, restarts, the trainer's words, proofs of deletion; nothing asks the cloud."""
    del home
    told = json.loads(say("events", "--json", RUN_ID).stdout)
    assert (told["schema"], told["run_id"]) == (1, RUN_ID)
    times = [event["at"] for event in told["events"]]
    assert times == sorted(times)
    texts = [f"{event['kind']}: {event['text']}" for event in told["events"]]
    for wanted in (
        "search: looked for spot Standard_D2s_v5 in eastus: no capacity (ZonalAllocationFailed)",
        "search: looked for spot Standard_D2s_v5 in westus3: rented",
        "cloud: disk tiny-abc123-di is gone: the cloud answers 404",
        "stage: train done: 1288 steps, loss 0.810, model loaded back and asked",
        "journal: connection lost, reconnecting",
        "training: training from step 308 of 1288, start 2; 11 steps are trained again",
        "save: step 172 saved in 61.5 s, 94,000.0 MB",
        "note: 1 token added to the vocabulary: [PAD]",
        "training: training begins",
    ):
        assert wanted in texts, texts
    lines = say("events", RUN_ID).stdout.splitlines()
    assert len(lines) == len(texts)


@pytest.mark.usefixtures("home")
def test_events_can_begin_later() -> None:
    """Those before are left out."""
    late = json.loads(say("events", "--json", "--since", "2026-11-25T23:00:00+00:00", RUN_ID).stdout)["events"]
    assert late
    assert min(event["at"] for event in late) >= NOW - 2400


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("colours", [False, True], ids=["plain", "coloured"])
def test_events_fit_a_terminal(snapshot: SnapshotAssertion, width: int, *, colours: bool) -> None:
    """By day; long ones go on below themselves, and colours only help the eye."""
    moments = [
        Moment(NOW, "stage", "provision began"),
        Moment(NOW + 60, "search", "looked for spot Standard_NC96ads_A100_v4 in eastus: no capacity (ZonalAllocation)"),
        Moment(NOW + 7200, "training", "training from step 308 of 1288, start 2; 11 steps are trained again"),
        Moment(NOW + 7300, "warning", "the loss jumps: 3.1 after 0.9"),
        Moment(NOW + 7400, "problem", "training ended without a model: CUDA out of memory; " * 2),
        Moment(NOW + 7500, "save", "step 172 saved in 61.5 s, 94,000.0 MB"),
    ]
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colours, color_system="standard" if colours else None)
    console.print(events_view(moments))
    assert "\n".join(line.rstrip() for line in out.getvalue().splitlines()) == snapshot
