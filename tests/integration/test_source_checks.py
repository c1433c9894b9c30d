"""What `plan` and `up` find out about sources before anything is rented, from servers on the loopback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from runs.errors import SpecError
from runs.plan.source_checks import SourceAnswer, Verdict, check_sources, refusal_of_sources, unknown_notes
from runs.run import Run
from runs.spec.load import load_run_file
from runs.state_folder import StateFolder
from tests.fakes.hub_server import HubRepo, HubServer, hub_server
from tests.fakes.web_server import WebServer, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = "hf://datasets/lab/rows/train.json"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub with a model, a data set and a gated model; nobody has a token."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with hub_server() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        served.repos |= {
            "models/lab/llama": HubRepo({"config.json": b"{}", "model.safetensors": b"weights"}),
            "models/lab/gated": HubRepo({"config.json": b"{}"}, token="t0ken", gated=True),
            "models/lab/private": HubRepo({"config.json": b"{}"}, token="t0ken"),
            "datasets/lab/rows": HubRepo({"train.json": b"[1]"}),
        }
        yield served


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server with one file."""
    with web_server() as served:
        served.files["rows.json"] = b"[1, 2]"
        yield served


def asked(folder: Path, model: str, data: str = DATA, more: str = "") -> dict[str, SourceAnswer]:
    """The answers to a run file's sources."""
    return {one.source: one for one in check_sources(load_run_file(_write(folder, model, data, more)))}


def _write(folder: Path, model: str, data: str = DATA, more: str = "") -> Path:
    file = folder / "run.yaml"
    file.write_text(f"name: x\nmodel: {{from: {model}, parameters_billion: 0.001}}\ndata: {{from: {data}}}\n{more}")
    return file


def test_what_is_there_tells_its_size(hub: HubServer, tmp_path: Path) -> None:
    """A model with all its files, and one file of a data set; nothing of their content is fetched."""
    answers = asked(tmp_path, "hf://lab/llama@main")
    assert {one.verdict for one in answers.values()} == {Verdict.THERE}
    assert answers["hf://lab/llama@main"].files == 2
    assert (answers[DATA].files, answers[DATA].verdict) == (1, Verdict.THERE)
    assert not [line for line in hub.requests if line.startswith("GET /lab") or "cdn" in line]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("hf://lab/gated", "gated: accept its terms on https://huggingface.co/lab/gated and name HF_TOKEN"),
        ("hf://lab/private", "no such repository, or a private one needs a token"),
        ("hf://lab/nothere", "no such repository, or a private one needs a token"),
        ("hf://lab/llama@v9", "no such branch, tag or commit: v9"),
    ],
)
def test_what_the_hub_refuses_is_a_mistake_of_the_run_file(
    hub: HubServer, tmp_path: Path, model: str, words: str
) -> None:
    """Told with its line and what to do, before anything exists; a run is not even entered in the journal."""
    file = _write(tmp_path, model)
    refusal = refusal_of_sources(load_run_file(file), check_sources(load_run_file(file)))
    assert refusal is not None
    assert words in refusal.problems[0].message
    assert (refusal.problems[0].line, refusal.exit_code if hasattr(refusal, "exit_code") else 2) == (2, 2)
    with pytest.raises(SpecError):
        Run.create(file, state=StateFolder(tmp_path / "state"))
    assert not (tmp_path / "state").exists()
    assert hub.requests


def test_a_missing_file_of_a_data_set_is_found(hub: HubServer, tmp_path: Path) -> None:
    """The repository is there, the file is not."""
    answer = asked(tmp_path, "hf://lab/llama", "hf://datasets/lab/rows/gone.json")["hf://datasets/lab/rows/gone.json"]
    assert (answer.verdict, answer.words) == (Verdict.REFUSED, "the repository has no such file: gone.json")
    assert hub.requests


def test_the_token_counts_that_the_machine_will_have(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is in the environment and not named in the run file stays here, so it opens nothing."""
    monkeypatch.setenv("HF_TOKEN", "t0ken")
    assert asked(tmp_path, "hf://lab/gated")["hf://lab/gated"].verdict is Verdict.REFUSED
    answers = asked(tmp_path, "hf://lab/gated", more="secrets: [HF_TOKEN]\n")
    assert answers["hf://lab/gated"].verdict is Verdict.THERE
    assert hub.requests


def test_a_web_server_is_asked_for_the_size_alone(hub: HubServer, web: WebServer, tmp_path: Path) -> None:
    """There, missing, forbidden, and led on by a redirect."""
    url = f"{web.url}/rows.json"
    assert asked(tmp_path, "hf://lab/llama", url)[url].size_bytes == 6
    web.redirects["moved.json"] = "/rows.json"
    assert asked(tmp_path, "hf://lab/llama", f"{web.url}/moved.json")[f"{web.url}/moved.json"].size_bytes == 6
    for status in (401, 403, 404, 410):
        web.refuse["rows.json"] = status
        assert asked(tmp_path, "hf://lab/llama", url)[url].verdict is Verdict.REFUSED
    web.refuse["rows.json"] = 503
    assert asked(tmp_path, "hf://lab/llama", url)[url].verdict is Verdict.UNKNOWN
    assert web.sent_bytes == 0
    assert hub.requests


def test_who_does_not_answer_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may well reach what this computer does not: a note, at once, and no refusal."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    file = _write(tmp_path, "az://account/container/llama")
    began = time.monotonic()
    answers = check_sources(load_run_file(file))
    assert time.monotonic() - began < 10
    assert refusal_of_sources(load_run_file(file), answers) is None
    assert [one.verdict for one in answers] == [Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert "Storage Blob Data Reader" in next(unknown_notes(answers))


def test_git_is_asked_for_its_branches(hub: HubServer, web: WebServer, tmp_path: Path) -> None:
    """A branch that is there, one that is not, and a repository that is not."""
    refs = (
        b"001e# service=git-upload-pack\n0000004b"
        + b"a" * 40
        + b" HEAD\0caps\n003d"
        + b"a" * 40
        + b" refs/heads/main\n"
    )
    web.files["lab/llama/info/refs"] = refs
    base = f"git+{web.url}/lab/llama"
    assert asked(tmp_path, f"{base}@main")[f"{base}@main"].verdict is Verdict.THERE
    assert asked(tmp_path, base)[base].verdict is Verdict.THERE
    assert asked(tmp_path, f"{base}@v9")[f"{base}@v9"].words == "the repository has no such branch or tag: v9"
    assert asked(tmp_path, f"git+{web.url}/no")[f"git+{web.url}/no"].verdict is Verdict.REFUSED
    assert hub.requests
