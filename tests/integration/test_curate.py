"""`llamalift curate` as a user calls it, killed as users kill it, and the same by the machine's own environment."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runs.curation.load import load_rules
from templates.curation.step import main as curate_step
from templates.zipapps import trainer_zipapp
from tests.fakes.hub_server import HubRepo, hub_server

if TYPE_CHECKING:
    from collections.abc import Mapping

LLAMALIFT = str(Path(sys.executable).with_name("llamalift"))
KILL_SECONDS = 60


def llamalift(
    folder: Path, *words: str, expect: int = 0, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    done = subprocess.run(
        [LLAMALIFT, *words],
        cwd=folder,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def rows(count: int, seed: int = 1) -> list[dict[str, str]]:
    """Instructions and answers, some of them refusals, copies and near copies."""
    chance = random.Random(seed)  # noqa: S311 (a made-up data set)
    words = [f"w\u00f6rd{number}" if number % 9 == 0 else f"word{number}" for number in range(3000)]
    made: list[dict[str, str]] = []
    for number in range(count):
        answer = " ".join(chance.choices(words, k=chance.randrange(3, 120))) + "."
        kind = chance.random()
        if kind < 0.1:
            answer = f"I\u2019m sorry, but I cannot say. {answer}"
        elif kind < 0.2 and made:
            made.append(chance.choice(made))
            continue
        elif kind < 0.3 and made:
            before = chance.choice(made)
            made.append({**before, "output": f"{before['output']} And more."})
            continue
        made.append({"instruction": f"Question {number}?", "input": "", "output": answer})
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same rows as JSON lines (5 MB, so more than one piece) and as an indented list."""
    folder = tmp_path_factory.mktemp("data")
    made = rows(9_000)
    (folder / "in.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made))
    (folder / "in.json").write_text(json.dumps(made, indent=2))
    return folder


def curate(folder: Path, source: str, output: str, *more: str) -> dict[str, Any]:
    """Curate by the shipped sets, and give the report."""
    done = llamalift(folder, "curate", source, output, "-r", "unfiltered", "-r", "quality", "--json", *more)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_any_number_of_processes_gives_the_same_bytes(data: Path) -> None:
    """Output and report, to the last byte; a list gives the same rows as lines."""
    digests = {}
    for workers in ("1", "2"):
        curate(data, "in.jsonl", "out.jsonl", "--workers", workers)
        digests[workers] = [
            hashlib.sha256((data / f"out.{suffix}").read_bytes()).hexdigest()
            for suffix in ("jsonl", "report.json", "report.html")
        ]
    assert digests["1"] == digests["2"]
    lines = [json.loads(line) for line in (data / "out.jsonl").read_text().splitlines()]
    report = curate(data, "in.json", "list.json", "--workers", "2")
    assert json.loads((data / "list.json").read_text()) == lines
    assert report["kept"] == len(lines)
    assert all(rule["dropped"] for rule in report["rules"] if rule["name"] in {"nearly the same", "refuses"})


def test_killed_in_the_middle_leaves_nothing_half_written(data: Path) -> None:
    """After kill -9 the output is as it was, no process goes on, and the next try works."""
    target = data / "killed.jsonl"
    target.write_text("as it was\n")
    words = ["curate", "in.jsonl", target.name, "-r", "unfiltered", "--workers", "2"]
    process = subprocess.Popen([LLAMALIFT, *words], cwd=data, stderr=subprocess.DEVNULL, start_new_session=True)
    spool = data / f".{target.name}.curating"
    deadline = time.monotonic() + KILL_SECONDS
    while not list(spool.glob("*.rows")):
        assert time.monotonic() < deadline, "no piece was ever done"
        assert process.poll() is None, "it was done before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while group_lives(process.pid):
        assert time.monotonic() < deadline, "its processes go on"
    assert target.read_text() == "as it was\n"
    llamalift(data, *words)
    assert not spool.exists()
    assert len(target.read_text().splitlines()) > 1000


def group_lives(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_wrong_rules_and_wrong_data_end_with_2(tmp_path: Path) -> None:
    """By the lines of the rule file or the row of the data, and nothing is written."""
    (tmp_path / "wrong.yaml").write_text("rules:\n  - drop: a\n    regexes: ['(']\n  - dorp: b\n    empty: true\n")
    (tmp_path / "in.jsonl").write_text('{"instruction": "a", "output": "b"}\n{"instruction"\n')
    refused = llamalift(tmp_path, "curate", "in.jsonl", "out.jsonl", "-r", "wrong.yaml", expect=2).stderr
    assert "wrong.yaml:3:15: rules[0].regexes[0]: not a regular expression of RE2" in refused
    assert "wrong.yaml:4:5: rules[1].dorp: unknown key: dorp (did you mean drop?)" in refused
    refused = llamalift(tmp_path, "curate", "in.jsonl", "out.jsonl", "-r", "quality", expect=2).stderr
    assert "in row 2 of in.jsonl" in refused
    refused = llamalift(tmp_path, "curate", "in.jsonl", "out.csv", "-r", "quality", expect=2).stderr
    assert "expected an output that ends in .jsonl or .json, found: out.csv" in refused
    refused = llamalift(tmp_path, "curate", "gone.jsonl", "out.jsonl", "-r", "quality", expect=2).stderr
    assert "cannot read the data" in refused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "wrong.yaml"]


def test_a_data_set_of_the_hub(tmp_path: Path) -> None:
    """Its training files are fetched, checked and curated; a private one needs the token, damage is told."""
    lines = "".join(json.dumps(row) + "\n" for row in rows(300))
    files = {"data/train-0.jsonl": lines.encode(), "data/test.jsonl": b"{}", "README.md": b"# Rows"}
    with hub_server() as hub:
        hub.repos["datasets/me/rows"] = HubRepo(files, token="secret")
        stranger = {"HF_ENDPOINT": hub.url, "HF_TOKEN": ""}
        owner = {**stranger, "HF_TOKEN": "secret"}
        words = ("curate", "hf://datasets/me/rows", "out.jsonl", "-r", "quality", "--json")
        refused = llamalift(tmp_path, *words, expect=2, variables=stranger).stderr
        assert "there is no such repository, or it is private" in refused
        report = json.loads(llamalift(tmp_path, *words, variables=owner).stdout)
        assert report["input_names"] == ["train-0.jsonl"]
        assert report["input_sha256"] == hashlib.sha256(lines.encode()).hexdigest()
        one = ("curate", "hf://datasets/me/rows@main/data/train-0.jsonl", *words[2:])
        assert json.loads(llamalift(tmp_path, *one, variables=owner).stdout) == report
        hub.damage.add("data/train-0.jsonl")
        refused = llamalift(tmp_path, *words, expect=2, variables=owner).stderr
        assert "did not arrive as the Hub has it" in refused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.report.html", "out.report.json"]


def step_words(folder: Path, source: Path) -> list[str]:
    """The words of the job's step."""
    rules = folder / "rules.json"
    rules.write_text(load_rules(["unfiltered", "quality"], folder).to_json())
    output, marker = folder / "curated" / "data.jsonl", folder / "markers" / "curate.json"
    words = {"run-dir": folder, "input": source, "rules": rules, "output": output, "marker": marker}
    return [word for name, value in words.items() for word in (f"--{name}", str(value))]


def test_the_machine_curates_as_this_computer_does(data: Path, tmp_path: Path, machine_python: Path) -> None:
    """The step, from the trainer's archive and by Arrow's RE2, comes to the bytes that google-re2 comes to."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    assert curate_step(step_words(here, data / "in.jsonl")) == 0
    (tmp_path / "trainer.pyz").write_bytes(trainer_zipapp())
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "trainer.pyz")}
    words = [str(machine_python), "-m", "templates.curation.step", *step_words(there, data / "in.jsonl")]
    subprocess.run(words, env=environment, cwd=there, check=True, stdout=subprocess.DEVNULL)
    for name in ("curated/data.jsonl", "curated/curation.json", "curated/curation.html"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
    assert marker(here) == marker(there)


def marker(folder: Path) -> Mapping[str, Any]:
    """What the step's marker says, without its time."""
    found: dict[str, Any] = json.loads((folder / "markers" / "curate.json").read_text())
    del found["finished_at"]
    return found


def test_a_step_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    """The same input and rules leave everything as it is; a damaged output, other data or other rules do not."""
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows(200)))
    words = step_words(tmp_path, source)
    output, mark = tmp_path / "curated" / "data.jsonl", tmp_path / "markers" / "curate.json"
    assert curate_step(words) == 0
    first, content = mark.read_bytes(), output.read_bytes()
    assert curate_step(words) == 0
    assert mark.read_bytes() == first
    output.write_bytes(content[:-5])
    assert curate_step(words) == 0
    assert output.read_bytes() == content
    assert mark.read_bytes() != first
    source.write_text("".join(json.dumps(row) + "\n" for row in rows(100)))
    assert curate_step(words) == 0
    assert len(output.read_bytes()) < len(content)


def test_a_step_whose_data_cannot_be_curated_says_why(tmp_path: Path) -> None:
    """The exit code that ends a job, and the reason where the agent looks for it."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"instruction": "a"\n')
    assert curate_step(step_words(tmp_path, source)) == 65
    events = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "problem"
    assert events[-1]["kind"] == "bad_data"
    assert "in row 1 of" in events[-1]["text"]
    assert not (tmp_path / "markers" / "curate.json").exists()
