"""Checkpoints in blob storage, against the real Azurite."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent.manifest import check_manifest
from templates.training.blob_account import first_line
from templates.training.blob_mirror import BlobMirror
from templates.training.errors import DamagedCopyError, MirrorError
from templates.training.metrics import Metrics
from templates.training.mirror import fetch_newer
from tests.fakes.azurite import ACCOUNT
from tests.fakes.written_checkpoints import same_content, steps_in, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
_numbers = itertools.count()


@pytest.fixture
def url(connection: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place of its own for each test; its container is not there yet."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    return f"az://{ACCOUNT}/checkpoints-{next(_numbers)}/team/run-abcdef"


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run folder with an empty folder for checkpoints."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    return tmp_path / "run"


def mirror_once(run_folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program until nothing is left to copy."""
    argv = ["--checkpoints", str(run_folder / "checkpoints"), "--mirror", url, "--once", *words]
    return subprocess.run(
        [sys.executable, "-m", "templates.training.mirror", *argv], capture_output=True, text=True, check=False
    )


def events(run_folder: Path, kind: str) -> list[dict[str, Any]]:
    """What metrics.jsonl says of a kind."""
    path = run_folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def test_a_copy_comes_back_as_it_was(url: str, tmp_path: Path) -> None:
    """Also a file of several blocks and an empty one, each byte and the manifest."""
    source = write_checkpoint(tmp_path / "here", 8, size=20 * MIB)
    BlobMirror.open(url).upload(source)
    mirror = BlobMirror.open(url)
    assert mirror.steps() == [8]
    mirror.download(8, tmp_path / "there" / "checkpoint-8")
    assert same_content(source, tmp_path / "there" / "checkpoint-8")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["checkpoint-8"]


def test_a_copy_without_its_manifest_does_not_count(url: str, tmp_path: Path) -> None:
    """An upload that was killed is no checkpoint; the next one sends only what is missing."""
    source = write_checkpoint(tmp_path, 8, size=2 * MIB)
    mirror = BlobMirror.open(url)
    manifest = source / "MANIFEST.json"
    (source / "latest").rename(tmp_path / "latest")
    with pytest.raises(FileNotFoundError):
        mirror.upload(source)
    assert mirror.steps() == []
    (tmp_path / "latest").rename(source / "latest")
    sent = mirror.upload(source)
    assert mirror.steps() == [8]
    assert sent < 2 * MIB
    assert mirror.upload(source) == manifest.stat().st_size


def test_a_damaged_copy_never_becomes_a_checkpoint(url: str, tmp_path: Path) -> None:
    """What comes is compared with its manifest; nothing of it stays, and an older one is taken."""
    mirror = BlobMirror.open(url)
    for step in (4, 8):
        mirror.upload(write_checkpoint(tmp_path / "here", step))
    mirror._put("team/run-abcdef/checkpoint-8/latest", b"other", "0" * 64)
    there = tmp_path / "run" / "checkpoints"
    with pytest.raises(DamagedCopyError):
        mirror.download(8, there / "checkpoint-8")
    assert list(there.iterdir()) == []
    assert fetch_newer(url, there, 0, Metrics(tmp_path / "run" / "metrics.jsonl"))
    assert steps_in(there) == [4]
    assert check_manifest(there / "checkpoint-4") == []


def test_pruning_keeps_the_newest_complete_ones(url: str, tmp_path: Path) -> None:
    """The manifest goes first; half copies older than a complete one go, a newer one is being written."""
    mirror = BlobMirror.open(url)
    for step in (4, 8, 12):
        mirror.upload(write_checkpoint(tmp_path, step))
    mirror._put("team/run-abcdef/checkpoint-6/latest", b"half", "")
    mirror._put("team/run-abcdef/checkpoint-16/latest", b"half", "")
    assert mirror.prune(2) == [4, 6]
    assert mirror.steps() == [12, 8]
    assert mirror.prune(2) == []


def test_the_program_copies_the_newest_durable_one(url: str, run_folder: Path, tmp_path: Path) -> None:
    """From scratch where it lies there, too, with an event; nothing is sent twice."""
    write_checkpoint(run_folder / "checkpoints", 4)
    durable = write_checkpoint(run_folder / "checkpoints", 8)
    shutil.copytree(durable, tmp_path / "scratch" / "checkpoint-8")
    done = mirror_once(run_folder, url, "--scratch", str(tmp_path / "scratch"))
    assert done.returncode == 0, done.stderr
    assert [event["step"] for event in events(run_folder, "mirrored")] == [8]
    assert mirror_once(run_folder, url).returncode == 0
    assert len(events(run_folder, "mirrored")) == 1
    assert BlobMirror.open(url).steps() == [8]


def test_a_lost_disk_gets_the_newest_copy(url: str, run_folder: Path) -> None:
    """It is fetched only when it is newer than what is here."""
    source = write_checkpoint(run_folder / "checkpoints", 8)
    assert mirror_once(run_folder, url).returncode == 0
    metrics = Metrics(run_folder / "metrics.jsonl")
    assert not fetch_newer(url, run_folder / "checkpoints", 8, metrics)
    shutil.rmtree(source)
    assert fetch_newer(url, run_folder / "checkpoints", 0, metrics)
    assert check_manifest(source) == []
    assert events(run_folder, "note")[-1]["text"] == f"checkpoint-8 is fetched from {url}"


def test_a_mirror_that_is_not_there_stops_nothing(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in one line; who looks for a newer checkpoint goes on with what there is."""
    string = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:1/a;"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", string)
    with pytest.raises(MirrorError, match="AZURE_STORAGE_CONNECTION_STRING is not of the account other"):
        BlobMirror.open("az://other/container")
    assert "AZURE_STORAGE_SAS_TOKEN" not in os.environ
    assert not fetch_newer("az://other/container", run_folder / "checkpoints", 0, Metrics(run_folder / "metrics.jsonl"))
    assert events(run_folder, "note")[0]["text"].startswith("the mirror cannot be asked for a newer checkpoint: AZURE_")


def test_no_signature_gets_into_words() -> None:
    """Who cannot reach an account prints its whole address, with the SAS that lets anybody in."""
    said = "Max retries exceeded with url: /ckpt?restype=container&sv=2026&sig=c2VjcmV0%3D (Caused by 'refused')\nMore"
    assert first_line(ValueError(said)) == "Max retries exceeded with url: /ckpt (Caused by 'refused')"


def test_a_killed_upload_is_taken_up(url: str, run_folder: Path) -> None:
    """SIGKILL at any request: no half copy counts, and the next program ends with the right one."""
    source = write_checkpoint(run_folder / "checkpoints", 8)
    killed = 0
    for number in range(1, 40):
        argv = [
            sys.executable,
            "-m",
            "tests.fakes.mirror_until_killed",
            str(number),
            str(run_folder / "checkpoints"),
            url,
        ]
        if subprocess.run(argv, check=False).returncode == 0:
            break
        killed += 1
        if BlobMirror.open(url).steps() == [8]:
            break
    assert killed >= 5
    assert mirror_once(run_folder, url).returncode == 0
    target = run_folder / "back" / "checkpoint-8"
    BlobMirror.open(url).download(8, target)
    assert same_content(source, target)
