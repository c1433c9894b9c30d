"""The durable disk is full, before a drain and in the middle of one: nothing older is lost, nothing half stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest
from templates.training import drain_state
from tests.fakes.small_disk import small_disk
from tests.fakes.written_checkpoints import steps_in, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20
# Three stretches between which the drain looks at its pace: seconds in which the disk may be filled.
SIZE = 12 * MIB
_DEADLINE_SECONDS = 60.0


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with one checkpoint, and a newer one on scratch."""
    with small_disk(tmp_path, 48) as disk:
        checkpoints = disk / "run" / "checkpoints"
        checkpoints.mkdir(parents=True)
        write_checkpoint(checkpoints, 4, size=SIZE)
        write_checkpoint(tmp_path / "scratch", 8, size=SIZE)
        yield checkpoints


def start(durable: Path, tmp_path: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Drain until nothing is left to drain, or nothing can be."""
    words = ["--scratch", str(tmp_path / "scratch"), "--checkpoints", str(durable), "--keep", "2", "--once"]
    return subprocess.Popen(
        [sys.executable, "-m", "templates.training.drain", *words], env={**os.environ, **environment}
    )


def fill(durable: Path, leave: int) -> Path:
    """Leave so many bytes on the disk."""
    filler = durable.parent / "filler"
    free = os.statvfs(durable).f_bavail * os.statvfs(durable).f_frsize
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave)
    return filler


def assert_nothing_is_lost(durable: Path) -> None:
    """The older one is whole, and of the newer one there is nothing but a word why."""
    assert steps_in(durable) == [4]
    assert check_manifest(durable / "checkpoint-4") == []
    assert not (durable / ".draining-checkpoint-8").exists()
    trouble = drain_state.read_trouble(durable.parent)
    assert trouble is not None
    assert trouble.step == 8
    (problem,) = [
        event
        for event in map(json.loads, (durable.parent / "metrics.jsonl").read_text().splitlines())
        if event["event"] == "problem"
    ]
    assert (problem["kind"], problem["text"]) == ("disk_full", trouble.text)
    assert "does not fit on the workspace and stays on scratch" in trouble.text


def test_a_drain_that_cannot_fit_is_refused_with_the_numbers(durable: Path, tmp_path: Path) -> None:
    """Before its first byte; made room for, the same checkpoint becomes durable."""
    filler = fill(durable, SIZE // 2)
    assert start(durable, tmp_path).wait() == 0
    assert_nothing_is_lost(durable)
    assert (durable.parent / "metrics.jsonl").read_text().rstrip().endswith('bytes short"}')
    filler.unlink()
    assert start(durable, tmp_path).wait() == 0
    assert steps_in(durable) == [4, 8]
    assert drain_state.read_trouble(durable.parent) is None


def test_a_disk_that_fills_up_in_mid_drain(durable: Path, tmp_path: Path) -> None:
    """What was copied gives its room back."""
    process = start(durable, tmp_path, LLAMALIFT_DRAIN_BYTES_PER_SECOND="1e6")
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while drain_state.read_progress(durable.parent) is None:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    fill(durable, 64 << 10)
    assert process.wait() == 0
    assert_nothing_is_lost(durable)
