"""What the trainer says outlives a full disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from templates.training.enduring import EnduringStream
from templates.training.metrics import Metrics


def test_a_full_disk_loses_a_line_of_the_log_and_no_more() -> None:
    """The Trainer prints each step's loss; that must not end the training."""
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - closing it fails, too
    stream = EnduringStream(full)
    assert stream.write("loss\n") == 5
    stream.flush()
    assert stream.name == "/dev/full"
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_events_wait_for_room(tmp_path: Path) -> None:
    """What cannot be written now is written with the next event, and half a line spoils only itself."""
    path = tmp_path / "metrics.jsonl"
    path.mkdir()  # cannot be opened for writing, as on a full disk
    metrics = Metrics(path)
    metrics.event("save", step=1)
    metrics.event("save", step=2)
    path.rmdir()
    path.write_text('{"event": "sa')
    metrics.event("save", step=3)
    torn, *lines = path.read_text().splitlines()
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn)
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
