from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent.manifest import build_manifest, write_manifest
from tests.fakes.agent_run import AgentRun, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEYS = {
    *("schema", "now", "phase", "agent", "step", "finished_steps", "progress", "checkpoints", "disk", "gpus"),
    *("limits", "final", "problem", "notes", "losses", "departure", "departures", "log"),
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[AgentRun]:
    """A run folder with the agent in it."""
    agent = AgentRun.create(tmp_path)
    yield agent
    agent.close()


def _events(run: AgentRun, *events: dict[str, Any]) -> None:
    with (run.root / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps({"t": time.time(), **event}) + "\n" for event in events)


def test_every_key_is_there_before_and_after_the_daemon_speaks(run: AgentRun) -> None:
    """The shape of the answer does not depend on how far the run is."""
    assert run.status().keys() == _KEYS
    assert run.status()["agent"] == {"pid": None, "started_at": None, "alive": False}
    daemon = run.start()
    run.wait_for_phase("waiting")
    document = run.status()
    assert document.keys() == _KEYS
    assert (document["agent"]["pid"], document["agent"]["alive"]) == (daemon.pid, True)
    assert document["disk"]["total_bytes"] > document["disk"]["free_bytes"] > 0
    assert document["limits"].keys() == {
        *("deadline_at", "idle_seconds", "lost_client_seconds", "dollars_cap", "dollars_so_far", "fired")
    }


def test_progress_comes_from_the_trainers_own_lines(run: AgentRun) -> None:
    """Step, loss and the rest of the newest line, and a time left from the steps' own times."""
    run.start()
    run.wait_for_phase("waiting")
    assert run.snapshot()["progress"] is None
    now = time.time()
    facts = {"learning_rate": 2e-5, "grad_norm": 1.5, "epoch": 0.5, "tokens_per_second": 900.0, "total_steps": 30}
    _events(run, {"event": "plan", "total_steps": 30, "save_steps": [30]}, {"event": "phase", "name": "training"})
    for step in range(2, 12, 2):
        _events(run, {"event": "step", "t": now + step, "step": step, "loss": 5 - step / 10, **facts})
    _events(run, {"event": "save", "step": 10, "seconds": 1.25, "bytes": 7}, {"event": "note", "text": "bf16 for fp16"})
    progress = wait_for(
        lambda: (found := run.snapshot().get("progress")) and found["step"] == 10 and found, "the tenth step"
    )
    assert (progress["phase"], progress["total_steps"], progress["loss"]) == ("training", 30, 4.0)
    assert 0 < progress["eta_seconds"] <= 30.1
    document = run.status()
    assert document["losses"] == [[2, 4.8], [4, 4.6], [6, 4.4], [8, 4.2], [10, 4.0]]
    assert document["checkpoints"]["last_save_seconds"] == 1.25
    assert "bf16 for fp16" in document["notes"]


def test_the_log_goes_on_from_the_byte_where_it_stopped(run: AgentRun) -> None:
    """Pieces asked for one after the other make the log, whatever bytes it holds and however large the pieces are."""
    content = os.urandom(10_000)
    (run.root / "logs").mkdir()
    log = run.root / "logs" / "train.log"
    log.write_bytes(content[:7000])
    got, at = b"", 0
    while at < len(content):
        piece = run.status(log_from=at, log_limit=3000)["log"]
        assert (piece["from"], piece["to"] - at) == (at, len(base64.b64decode(piece["data"])))
        got, at = got + base64.b64decode(piece["data"]), piece["to"]
        log.write_bytes(content)
    assert got == content
    assert run.status(log_from=at)["log"] == {"from": at, "to": at, "size": at, "data": ""}


def test_the_metrics_come_along_when_they_are_asked_for(run: AgentRun) -> None:
    """From the byte that the client has not yet, in the same answer as the log."""
    (run.root / "metrics.jsonl").write_bytes(b'{"event": "step"}\n')
    assert "metrics" not in run.status()
    piece = run.status(metrics_from=10)["metrics"]
    assert (piece["from"], piece["to"], base64.b64decode(piece["data"])) == (10, 18, b'"step"}\n')


def test_a_log_that_is_shorter_than_before_is_read_from_its_beginning(run: AgentRun) -> None:
    """`from` says so; a negative start counts from the end."""
    (run.root / "logs").mkdir()
    (run.root / "logs" / "train.log").write_bytes(b"0123456789")
    assert run.status(log_from=11)["log"]["from"] == 0
    assert base64.b64decode(run.status(log_from=-3)["log"]["data"]) == b"789"
    assert run.status(log_from=-300)["log"]["from"] == 0


def test_a_checkpoint_is_complete_by_its_manifest_and_hashed_once(run: AgentRun) -> None:
    """A half-written one never shows; a complete one does, and is not read again by a later daemon."""
    for step in (3, 6, 8):
        folder = run.root / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(bytes(1000 + step))
        if step != 8:
            write_manifest(folder, build_manifest(folder, step=step))
    daemon = run.start()
    shown = wait_for(lambda: (run.snapshot().get("checkpoints") or {}).get("complete_steps"), "complete checkpoints")
    assert shown == [3, 6]
    newest = run.status()["checkpoints"]["newest_complete"]
    assert (newest["step"], newest["path"]) == (6, str(run.root / "checkpoints" / "checkpoint-6"))
    assert newest["bytes"] > 1006
    checked = wait_for(lambda: "\n".join(run.lines("checked.json")), "the memory of what was checked")
    daemon.kill()
    daemon.wait()
    assert sorted(path.rsplit("-", 1)[1] for path in json.loads(checked)) == ["3", "6", "8"]


def test_a_damaged_checkpoint_stops_being_complete(run: AgentRun) -> None:
    """A file that changes after it was found good is looked at again."""
    folder = run.root / "checkpoints" / "checkpoint-4"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"good")
    write_manifest(folder, build_manifest(folder, step=4))
    run.start()
    wait_for(lambda: (run.snapshot().get("checkpoints") or {}).get("complete_steps") == [4], "a complete checkpoint")
    (folder / "weights").write_bytes(b"baad")
    wait_for(lambda: run.snapshot()["checkpoints"]["complete_steps"] == [], "the damage to be seen")


def test_the_final_model_shows_by_its_manifest(run: AgentRun) -> None:
    """`final` is empty until MANIFEST.json is there, then its SHA-256."""
    (run.root / "final").mkdir()
    (run.root / "final" / "model.safetensors").write_bytes(b"weights")
    run.start()
    assert run.wait_for_phase("waiting")["final"] is None
    done = run.verb("manifest", str(run.root / "final"), "--write")
    assert json.loads(done.stdout)["files"].keys() == {"model.safetensors"}
    final = wait_for(lambda: run.snapshot()["final"], "the final model")
    assert len(final["manifest_sha256"]) == 64
    assert run.verb("verify", str(run.root / "final")).returncode == 0
    (run.root / "final" / "model.safetensors").write_bytes(b"weighty")
    done = run.verb("verify", str(run.root / "final"))
    assert (done.returncode, json.loads(done.stdout)["problems"]) == (1, ["wrong content: model.safetensors"])


def test_gpus_are_what_nvidia_smi_says(run: AgentRun, tmp_path: Path) -> None:
    """Percent, bytes and watts; what a card does not tell is null."""
    programs = tmp_path / "bin"
    programs.mkdir()
    lines = "0, NVIDIA A100 80GB PCIe, 97, 40960, 81920, 250.51\\n1, Tesla, [N/A], 1, 2, [N/A]\\n"
    (programs / "nvidia-smi").write_text(f'#!/bin/sh\nprintf "{lines}"\n')
    (programs / "nvidia-smi").chmod(0o755)
    run.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    run.start()
    first, second = wait_for(lambda: run.snapshot().get("gpus"), "the GPUs")
    assert first == {
        "index": 0,
        "name": "NVIDIA A100 80GB PCIe",
        "utilization_percent": 97.0,
        "memory_used_bytes": 40960 << 20,
        "memory_total_bytes": 81920 << 20,
        "power_watts": 250.51,
    }
    assert (second["utilization_percent"], second["power_watts"]) == (None, None)
