"""What the trainer says outlives a full disk."""

from __future__ import annotations

import json
import subprocess
import sys
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
    """What cannot be written now is written with the next event."""
    path = tmp_path / "metrics.jsonl"
    path.mkdir()  # cannot be opened for writing, as on a full disk
    metrics = Metrics(path)
    metrics.event("save", step=1)
    metrics.event("save", step=2)
    path.rmdir()
    metrics.event("save", step=3)
    assert steps(path) == [1, 2, 3]


def test_half_a_line_of_a_killed_process_spoils_only_itself(tmp_path: Path) -> None:
    """The next process begins a line of its own."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"event": "sa')
    metrics = Metrics(path)
    metrics.event("save", step=1)
    metrics.event("save", step=2)
    torn, *whole = path.read_text().splitlines()
    assert torn == '{"event": "sa'
    assert [json.loads(line)["step"] for line in whole] == [1, 2]


def test_a_line_that_a_full_disk_cut_is_gone_on_with(tmp_path: Path) -> None:
    """Wherever it was cut, each event is there once, in order, and no line is broken."""
    path = tmp_path / "metrics.jsonl"
    said = subprocess.run([sys.executable, "-c", CUT, path], capture_output=True, text=True, check=True)
    cuts = json.loads(said.stdout)
    assert sum(not text.endswith("\n") for text in cuts) > 20
    assert steps(path) == list(range(50))


# A file may be so long and no longer: the system writes as much as fits, as on a full disk.
CUT = """
import json, pathlib, resource, signal, sys
from templates.training.metrics import Metrics
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = pathlib.Path(sys.argv[1])
metrics, cuts, _, most = Metrics(path), [], *resource.getrlimit(resource.RLIMIT_FSIZE)
for step in range(50):
    resource.setrlimit(resource.RLIMIT_FSIZE, (37 * (step + 1), most))
    metrics.event("save", step=step)
    cuts.append(path.read_text())
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
metrics.event("phase", name="room")
sys.stdout.write(json.dumps(cuts))
"""


def steps(path: Path) -> list[int]:
    """The saves' steps; no line is anything else than an event."""
    return [event["step"] for event in map(json.loads, path.read_text().splitlines()) if event["event"] == "save"]
