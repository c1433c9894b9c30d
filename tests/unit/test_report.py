"""A report holds everything that a colleague asks for, in one file that fetches nothing and runs nothing."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from cli.app import app
from cli.report.chart import axis, smoothed, steps_axis
from cli.report.charts import further_charts, loss_chart
from cli.report.png import HEIGHT, WIDTH
from cli.report.svg import figure
from cli.report.words import saves_rows
from cli.report.write import write_report
from runs.outlook import step_seconds
from runs.report import make_report
from runs.training_log import TrainingReader
from runs.types import EventKind, RunRow, RunState
from tests.fakes.lived_runs import RUN_ID, lived_run
from tests.fakes.seen_runs import NOW, write_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

_NAMES = (
    *("t", "step", "total_steps", "start_step", "save_steps", "loss", "learning_rate", "mfu"),
    *("seconds", "bytes", "text", "name", "stage", "of", "rows"),
)
# What HTML closes by itself.
_VOID = frozenset({"meta", "line", "polyline"})


class Page(HTMLParser):
    """Knows the tags of a page, and that each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One begins."""
        del attrs
        self.tags.append(tag)
        if tag not in _VOID or tag == "line":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One that is whole."""
        del attrs
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The newest one ends."""
        assert self.open.pop() == tag


@pytest.fixture
def written(tmp_path: Path) -> dict[str, bytes]:
    """The files of a report."""
    run = lived_run(tmp_path / "state")
    return {file.name: file.read_bytes() for file in write_report(make_report(run), tmp_path / "out", now=NOW)}


def test_the_page_is_whole_by_itself(written: dict[str, bytes]) -> None:
    """No script, no address to fetch from, every tag closed; pictures are drawn in it."""
    text = written["report.html"].decode()
    page = Page(text)
    assert page.open == []
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", text)
    assert page.tags.count("svg") == 5
    assert text.count("prefers-color-scheme: dark") == 1


@pytest.mark.parametrize("file", ["report.html", "report.md"])
def test_everything_that_matters_is_in_it(written: dict[str, bytes], file: str) -> None:
    """Summary, saves, stages, cost against plan, faults, checks, receipt, versions, how to do it again."""
    text = written[file].decode()
    for wanted in (
        "Trained 1,288 steps, loss 0.810, the model is home and verified",
        "11 steps trained again",
        "4 complete checkpoints, 4 m 06 s in all",
        "agent answers, environment complete",
        "eastus: no capacity (ZonalAllocationFailed)",
        "training went on from step 308; 11 steps were trained again",
        "connection lost, reconnecting",
        "The plan said $0.5000: it was $1.45 more.",
        "12 files, every byte verified by SHA-256",
        "2 resources deleted, each confirmed by a 404",
        "404 at ",
        "llamalift up run.yaml",
        "secrets: [WANDB_API_KEY]",
        "250,000 rows, 90,000,000 tokens",
    ):
        assert wanted in text, wanted


def test_the_picture_is_one_for_a_chat(written: dict[str, bytes]) -> None:
    """As large as previews show it, and the curve is in it."""
    image = Image.open(io.BytesIO(written["loss.png"]))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or ()}
    assert (11, 103, 194) in colours


def test_what_machines_and_users_write_is_text(tmp_path: Path) -> None:
    """A note with a tag in it is shown, and is none; a bar in a name ends no cell of a table."""
    run = lived_run(tmp_path / "state")
    hostile = "<script>alert(1)</script> | \x1b[31mred"
    with (run.folder / "metrics.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(f'{{"t": {NOW}, "event": "problem", "kind": "x", "text": "{hostile[:-8]}", "warning": true}}\n')
    run.journal.event(run.run_id, f"connection lost {hostile}", EventKind.CONNECTION_LOST)
    write_report(make_report(run), tmp_path / "out", now=NOW)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "script" not in Page(page).tags
    assert "&lt;script&gt;" in page
    assert "<script" not in (tmp_path / "out" / "report.md").read_text()


def test_a_run_that_has_only_begun_has_a_report_too(tmp_path: Path) -> None:
    """Without curves, and without a picture of none."""
    run = lived_run(tmp_path / "state")
    row = RunRow("new-aaaaaa", "new", "azure", NOW, "x.yaml", run.row.spec_text, "0" * 64, RunState.ACTIVE)
    run.journal.add_run(row)
    from runs.run import Run

    files = write_report(make_report(Run.open("new-aaaaaa", state=run.state)), tmp_path / "out", now=NOW)
    assert [file.name for file in files] == ["report.html", "report.md"]
    text = files[0].read_text()
    assert Page(text).open == []
    assert "Not begun" in text
    assert "Nothing was rented." in text


def test_the_command_names_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stdout, for scripts; a folder that cannot be written ends with code 2."""
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(tmp_path / "state"))
    lived_run(tmp_path / "state")
    done = CliRunner().invoke(app, ["report", RUN_ID, "--to", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    names = [line.rsplit("/", 1)[-1] for line in done.stdout.splitlines()]
    assert names == ["report.html", "report.md", "loss.png"]
    (tmp_path / "file").touch()
    failed = CliRunner().invoke(app, ["report", RUN_ID, "--to", str(tmp_path / "file")])
    assert getattr(failed.exception, "exit_code", None) == 2


def test_the_markdown_reads_well(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """As a person reads it; what differs from run to run is left out."""
    run = lived_run(tmp_path / "state")
    write_report(make_report(run), tmp_path / "out", now=NOW)
    text = (tmp_path / "out" / "report.md").read_text()
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<time>", text)
    assert re.sub(r"llamalift \d\S+", "llamalift <version>", text) == snapshot


@pytest.mark.parametrize("chart", [loss_chart, lambda told: further_charts(told)[0]], ids=["loss", "learning rate"])
def test_a_chart_of_a_single_step_or_of_one_value_is_drawn_or_left_out(
    chart: Callable[..., object], tmp_path: Path
) -> None:
    """No division by nothing."""
    file = tmp_path / "metrics.jsonl"
    write_metrics(file, steps=2)
    assert chart(TrainingReader(file).read()[0])
    flat = file.read_text().replace('"loss": 1.980327868852459', '"loss": 2.0').replace("1.961", "2.0")
    file.write_text(flat)
    assert chart(TrainingReader(file).read()[0])


def test_a_chart_tells_in_words_what_it_shows(tmp_path: Path) -> None:
    """For those who cannot see it; restarts and saves have theirs, too."""
    file = tmp_path / "metrics.jsonl"
    write_metrics(file, lost=12)
    chart = loss_chart(TrainingReader(file).read()[0])
    assert chart is not None
    drawn = figure(chart)
    assert 'role="img" aria-label="loss from 1.980 at step 1 to 0.903 at step 640"' in drawn
    assert "<title>restart from step 308, 11 steps trained again</title>" in drawn
    assert "<title>saved at step 172</title>" in drawn


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.booleans())
def test_an_axis_holds_every_value_with_round_ticks(values: list[float], from_zero: bool) -> None:  # noqa: FBT001
    """Few enough to read, ends included."""
    found = axis(values, words=str, from_zero=from_zero)
    assert found.low <= min(values) + 1e-6 * (found.high - found.low)
    assert found.high >= max(values) - 1e-6 * (found.high - found.low)
    assert 2 <= len(found.ticks) <= 8
    assert (found.ticks[0][0], found.ticks[-1][0]) == (0.0, 1.0)


@given(st.integers(0, 10**7))
def test_steps_are_whole_numbers(last: int) -> None:
    """No tick at half a step."""
    assert all(words.replace(",", "").isdigit() for _, words in steps_axis(last).ticks)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_a_smoothed_curve_stays_within_the_curve(values: list[float]) -> None:
    """A mean is never beyond what it is the mean of, and as long."""
    mean = [value for _, value in smoothed(list(enumerate(values)))]
    assert len(mean) == len(values)
    assert min(values) - 1e-6 <= min(mean)
    assert max(mean) <= max(values) + 1e-6


_STRANGE: tuple[object, ...] = (
    None, True, -1, 0, 0.0, -0.5, 1e308, -1e308, float("inf"), float("nan"), 10**400, "words", [], [1, 10**400], {},
)  # fmt: skip


@pytest.mark.parametrize("strange", _STRANGE, ids=lambda value: repr(value)[:20])
def test_whatever_a_machine_writes_is_read_and_drawn(strange: object, tmp_path: Path) -> None:
    """Values of any kind and size, in any place: what makes no sense is left out, and nothing breaks."""
    file = tmp_path / "metrics.jsonl"
    kinds = ("step", "plan", "save", "data", "note", "problem", "phase", "stage", "drained", strange)
    events = [{"event": kind, "step": 5, "t": NOW, name: strange} for kind in kinds for name in _NAMES]
    steps = [{"event": "step", "step": number, "t": NOW + number, "loss": 1.0} for number in (1, 2)]
    file.write_text("".join(json.dumps(event) + "\n" for event in (*events, *steps)))
    for training in TrainingReader(file).read():
        assert len({len(column) for column in training.columns.values()}) == 1
        charts = [loss_chart(training), *further_charts(training)]
        assert all(figure(chart) for chart in charts if chart is not None)
        step_seconds(training)
        saves_rows(training)
