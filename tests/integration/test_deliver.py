"""The model and what else is promised on their way to blob storage, from the machine itself, to the real Azurite."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from templates.agent.manifest import NAME, build_manifest, write_manifest
from tests.fakes.agent_run import wait_for
from tests.fakes.azurite import ACCOUNT
from tests.fakes.pull_program import pull
from tests.fakes.written_checkpoints import write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = os.urandom(9 << 20)
_numbers = itertools.count()


@pytest.fixture
def container(connection: str) -> ContainerClient:
    """A container of its own for each test; nobody has made it yet."""
    return BlobServiceClient.from_connection_string(connection).get_container_client(f"d{next(_numbers):03}")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A finished run: model, two checkpoints, logs, metrics."""
    run = tmp_path / "run-abcdef"
    for name in ("final", "logs", "control", "markers", "checkpoints"):
        (run / name).mkdir(parents=True)
    (run / "final" / "model.safetensors").write_bytes(WEIGHTS)
    (run / "final" / "config.json").write_bytes(b"{}")
    write_manifest(run / "final", build_manifest(run / "final"))
    for step in (4, 8):
        write_checkpoint(run / "checkpoints", step)
    (run / "logs" / "train.log").write_text("it trains\n")
    (run / "metrics.jsonl").write_text('{"event": "step"}\n')
    return run


def deliver(
    run_dir: Path, container: ContainerClient, connection: str, *words: str, stdin: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program as the job does; with `stdin` as the client does."""
    to = f"az://{ACCOUNT}/{container.container_name}/team/run-abcdef"
    argv = ["--run-dir", str(run_dir), "--to", to, *words, *(["--now"] if stdin is not None else ["--pauses"])]
    environment = dict(os.environ)
    if connection:
        environment["AZURE_STORAGE_CONNECTION_STRING"] = connection
    told = "" if stdin is None else json.dumps(stdin) + "\n"
    return subprocess.run(
        [sys.executable, "-m", "templates.training.deliver", *argv],
        input=told, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def names(container: ContainerClient) -> set[str]:
    """What is there."""
    return {blob.name.removeprefix("team/run-abcdef/") for blob in container.list_blobs()}


def read_json(path: Path) -> dict[str, Any]:
    """A file of the run."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_everything_promised_goes_and_comes_back(
    run_dir: Path, container: ContainerClient, connection: str, tmp_path: Path
) -> None:
    """Model, newest checkpoint, logs, metrics; the word is left last; what is there is a source for the next run."""
    done = deliver(run_dir, container, connection, "--checkpoints", "last", "--logs", "--metrics")
    assert done.returncode == 0, done.stderr
    there = names(container)
    assert {"final/model.safetensors", f"final/{NAME}", "logs/train.log", "metrics.jsonl"} <= there
    assert {name.split("/")[1] for name in there if name.startswith("checkpoints/")} == {"checkpoint-8"}
    sha256 = hashlib.sha256((run_dir / "final" / NAME).read_bytes()).hexdigest()
    assert read_json(run_dir / "control" / "delivered")["manifest_sha256"] == sha256
    assert read_json(run_dir / "markers" / "deliver.json") == {"delivered": True}
    url = f"az://{ACCOUNT}/{container.container_name}/team/run-abcdef/final"
    secrets = {"AZURE_STORAGE_CONNECTION_STRING": connection}
    assert pull("blob", tmp_path / "back", url=url, secrets=secrets).error == ""
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == WEIGHTS


def test_a_second_time_nothing_is_sent(run_dir: Path, container: ContainerClient, connection: str) -> None:
    """Each blob's SHA-256 says what is there; one that was changed since is sent again."""
    deliver(run_dir, container, connection)
    secrets = {"AZURE_STORAGE_CONNECTION_STRING": connection}
    again = deliver(run_dir, container, "", stdin=secrets)
    assert json.loads(again.stdout)["sent_bytes"] == 0
    container.upload_blob("team/run-abcdef/final/config.json", b"[]", overwrite=True)
    assert json.loads(deliver(run_dir, container, "", stdin=secrets).stdout)["sent_bytes"] == 2


def test_a_damaged_model_is_not_delivered(run_dir: Path, container: ContainerClient, connection: str) -> None:
    """What its manifest does not describe must not be marked as if it did."""
    (run_dir / "final" / "model.safetensors").write_bytes(bytes(len(WEIGHTS)))
    assert deliver(run_dir, container, connection).returncode == 0
    assert not (run_dir / "control" / "delivered").exists()
    assert not container.exists()


def test_storage_that_refuses_fails_no_training(run_dir: Path, container: ContainerClient) -> None:
    """The step ends well with a note and without its word; the client is told the reason, without any secret."""
    done = deliver(run_dir, container, "DefaultEndpointsProtocol=http;AccountName=other;AccountKey=AAAA;")
    assert done.returncode == 0
    assert read_json(run_dir / "markers" / "deliver.json") == {"delivered": False}
    assert not (run_dir / "control" / "delivered").exists()
    assert "not delivered yet" in (run_dir / "metrics.jsonl").read_text()
    secrets = {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=AAAA;"}
    now = deliver(run_dir, container, "", stdin=secrets)
    assert now.returncode == 1
    assert "not of the account" in json.loads(now.stdout)["error"]
    assert "AAAA" not in now.stdout + now.stderr


@pytest.mark.parametrize("there", [0, 1, 2])
def test_a_killed_delivery_is_taken_up(there: int, run_dir: Path, container: ContainerClient, connection: str) -> None:
    """SIGKILL while it sends: the word is there only if all else is, and the next one ends with everything there."""
    to = f"az://{ACCOUNT}/{container.container_name}/team/run-abcdef"
    argv = [sys.executable, "-m", "templates.training.deliver", "--run-dir", str(run_dir), "--to", to, "--logs"]
    everything = {"final/model.safetensors", "final/config.json", f"final/{NAME}", "logs/train.log"}
    process = subprocess.Popen(argv, env=os.environ | {"AZURE_STORAGE_CONNECTION_STRING": connection})
    try:
        wait_for(
            lambda: process.poll() is not None or (container.exists() and len(names(container)) >= there), "a blob"
        )
    finally:
        process.kill()
        process.wait()
    assert everything <= names(container) or not (run_dir / "control" / "delivered").exists()
    assert deliver(run_dir, container, connection, "--logs").returncode == 0
    assert (run_dir / "control" / "delivered").exists()
    assert everything <= names(container)
