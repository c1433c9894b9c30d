"""Every command that the documentation shows works as it stands there, against the rehearsal cloud.

One run serves all pages: the tutorial's. It is looked at while it trains, interrupted as the tutorial does it, paused,
and gone on with. A page that needs Azure gets the rehearsal cloud instead, and its run file is planned, not rented for.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from cli.answers.schema import answer_schema
from runs.spec.recipes import write_recipe
from tests.fakes.documented import Shown, shown
from tests.fakes.terminal import LLAMALIFT, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

TUTORIAL, FIRST_UP = "docs/tutorial.md", ("llamalift", "up", "trial/run.yaml")
# Not ours to run: what they do is outside of this program, or another test's.
OTHER_PROGRAMS = frozenset({"az", "make", "ls", "export", "source", "uv", "pipx", "git", "cd", "docker"})
OWN_TESTS = {"smoke": "test_smoke.py", "adopt": "test_adopt.py", "dashboard": "it serves until it is told to end"}
# What ends the run or needs its end; everything else that names a RUN is said while it trains.
AT_THE_END = frozenset({"resume", "down", "collect", "report", "infer", "evaluate"})
SECRETS = {"WANDB_API_KEY": "made up", "HF_TOKEN": "made up", "TEAM_HOOK": "http://127.0.0.1:9/made-up"}


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, machine_python: Path) -> Iterator[Terminal]:
    """A terminal of a user who has nothing yet: no home, no runs, no account."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "home").mkdir()
    environment = {
        "HOME": str(folder / "home"),
        "LLAMALIFT_ENVIRONMENT_CACHE": str(machine_python.parents[2]),
        **SECRETS,
    }
    made = Terminal(folder / "state", environment)
    yield made
    made.close()
    for line in made.json("ls"):
        if line["state"] != "ended":
            made.run("down", "--discard", line["run_id"])


@pytest.fixture(scope="module")
def ours() -> list[Shown]:
    """Every command of ours that a test has to run."""
    return [one for one in shown() if one.words[0] == "llamalift" and not one.title]


def names_run(one: Shown) -> bool:
    """Whether it is about a run."""
    return "RUN" in one.words or one.words[2:3] == ("tiny-cpu",)


class Reader:
    """Does what pages say, each in a folder of its own that has a `run.yaml`."""

    def __init__(self, terminal: Terminal, folder: Path, run_id: str = "") -> None:
        self.terminal, self.folder, self.run_id = terminal, folder, run_id
        self._done: set[tuple[str, ...]] = set()

    def place(self, one: Shown) -> Path:
        """The folder of the command's page."""
        place = self.folder / one.page.replace("/", "-")
        if not place.exists():
            write_recipe("tiny-cpu", place)
        return place

    def does(self, one: Shown) -> None:
        """Run one command as it stands there, but for what only Azure or another name could answer.

        What was done on another page, where it means the same, is not done again.
        """
        words = [word.replace("RUN.yaml", "run.yaml") for word in one.words[1:]]
        words = [self.run_id if word in {"RUN", "tiny-cpu"} and self.run_id else word for word in words]
        # A moment that a page names is past one day.
        words = ["6h" if before == "--retry-until" else word for before, word in zip(["", *words], words, strict=False)]
        place = self.place(one)
        if words[0] == "sweep" and "--cloud" not in words:
            words += ["--cloud", "rehearsal"]
        if words[0] == "up":
            # The same command with another file: whether it would begin is what its plan says.
            words = ["plan", words[1] if (place / words[1]).exists() else "run.yaml"]
        if words[0] == "plan":
            file = place / (words[1] if len(words) > 1 else "run.yaml")
            words += ["--offline"] if "cloud: azure" in file.read_text() else []
        if tuple(words) in self._done and words[0] != "init":
            return
        self._done.add(tuple(words))
        done = subprocess.run(
            [LLAMALIFT, *words], cwd=place, env=self.terminal._environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{one} -> {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_nothing_is_shown_that_nobody_tries(ours: list[Shown]) -> None:
    """What is not run says why above it; other programs are few and known."""
    foreign = {one.words[0] for one in shown() if one.words[0] != "llamalift" and not one.title}
    assert foreign <= OTHER_PROGRAMS
    assert len(ours) > 30
    assert any((one.page, one.words) == (TUTORIAL, FIRST_UP) for one in ours)


def test_what_needs_no_run_works(ours: list[Shown], terminal: Terminal, tmp_path: Path) -> None:
    """Recipes, plans, schemas, lists: page by page, in the order of the page."""
    reader = Reader(terminal, tmp_path)
    for one in ours:
        if not names_run(one) and one.words[1] not in OWN_TESTS:
            reader.does(one)


def test_what_needs_a_run_works(ours: list[Shown], terminal: Terminal, tmp_path: Path) -> None:
    """The tutorial's run: looked at while it trains, interrupted, paused, gone on with, and gone in the end."""
    of_runs = [one for one in ours if names_run(one) and one.words[1] not in OWN_TESTS]
    run_file = write_recipe("tiny-cpu", tmp_path / "trial")
    run_file.write_text(run_file.read_text().replace("num_train_epochs: 5", "num_train_epochs: 4"))
    terminal.folder = tmp_path
    up = terminal.start(*FIRST_UP[1:])
    reader = Reader(terminal, tmp_path, terminal.wait_for_step(1)["row"]["run_id"])

    for one in of_runs:
        if one.words[1] not in AT_THE_END | {"pause"}:
            reader.does(
                replace(one, words=tuple(word for word in one.words if word not in {"--follow", "-f", "--watch"}))
            )

    os.killpg(up.pid, signal.SIGINT)
    told, _ = up.communicate(timeout=60)
    assert up.returncode == 130, told
    for one in of_runs:
        if one.words[1] == "pause":
            reader.does(one)
    resumed = terminal.run("resume", reader.run_id, "--json", seconds=600)
    _check_events(resumed.stdout)
    assert (tmp_path / "trial" / "model" / "MANIFEST.json").exists()
    for one in of_runs:
        if one.words[1] in AT_THE_END:
            reader.does(one)
    assert re.search(r"nothing of llamalift is left", terminal.run("sweep", "--cloud", "rehearsal").stderr)
    Draft202012Validator(answer_schema("status")).validate(terminal.json("status", reader.run_id))


def _check_events(text: str) -> None:
    import json

    events = [json.loads(line) for line in text.splitlines()]
    validator = Draft202012Validator(answer_schema("resume"))
    for event in events:
        validator.validate(event)
    assert [events[0]["event"], events[-1]["event"], events[-1]["exit_code"]] == ["run", "end", 0]
    stages = [event["stage"] for event in events if event["event"] == "stage-done"]
    assert stages[-3:] == ["train", "collect", "teardown"]
    assert all(line["confirmed_gone_at"] for line in events[-1]["receipt"]["resources"])
