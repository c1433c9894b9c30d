from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.agent.attempt import Outcome
from templates.agent.diagnosis import Evidence, explain, last_useful_line
from templates.agent.metrics import Losses, Metrics
from templates.agent.watchers import parse_gpu

if TYPE_CHECKING:
    from pathlib import Path

_TRACEBACK = """\
{'loss': 3.2}
[rank1]: Traceback (most recent call last):
[rank1]:   File "train.py", line 3, in <module>
[rank1]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB
[rank0]: RuntimeError: [../gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:1234
E1122 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1) local_rank: 1
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
"""


def test_the_first_hand_error_is_found_among_its_echoes() -> None:
    """Not the rank that lost its peer, nor torchrun's summary, but the one that failed."""
    said = last_useful_line(_TRACEBACK)
    assert said == "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"


@pytest.mark.parametrize(
    ("text", "line"),
    [("", None), ("\n \n", None), ("a\nlast words\n\n", "last words"), ("ValueError\nbye", "ValueError")],
)
def test_without_a_traceback_the_last_words_count(text: str, line: str | None) -> None:
    """The last line that says anything, or nothing at all."""
    assert last_useful_line(text) == line


@pytest.mark.parametrize(
    ("outcome", "free_bytes", "oom_kills", "kind"),
    [
        (Outcome(1), 1 << 40, 0, "crash"),
        (Outcome(0), 1 << 40, 0, "no_marker"),
        (Outcome(-9), 1 << 40, 0, "killed"),
        (Outcome(-9), 1 << 40, 1, "host_out_of_memory"),
        (Outcome(None), 1 << 40, 0, "killed"),
        (Outcome(1), 1 << 20, 0, "disk_full"),
        (Outcome(70), 1 << 40, 0, "nan"),
        (Outcome(127, "FileNotFoundError: python"), 1 << 40, 0, "not_started"),
    ],
)
def test_the_kind_comes_from_how_it_ended(outcome: Outcome, free_bytes: int, oom_kills: int, kind: str) -> None:
    """Exit code, signal, kernel and disk say it; the log only adds words."""
    evidence = Evidence(outcome, log_tail="Traceback\nValueError: no", free_bytes=free_bytes, oom_kills=oom_kills)
    problem = explain(evidence).problem()
    assert problem["kind"] == kind
    assert problem["message"]
    assert problem["hint"]


def test_damaged_lines_and_half_lines_are_survived(tmp_path: Path) -> None:
    """A line cut by a kill is skipped; one still being written is read when it is whole."""
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path)
    metrics.read()
    assert metrics.progress(0.0) is None
    path.write_bytes(b'{"event": "st\n[1]\n{"event": "phase", "name": "training"}\n{"event": "step", "step"')
    metrics.read()
    assert (metrics.progress(0.0) or {})["phase"] == "training"
    with path.open("a") as file:
        file.write(': 3, "loss": NaN, "total_steps": 9, "t": 5}\n')
    metrics.read()
    progress = metrics.progress(0.0) or {}
    assert (progress["step"], progress["loss"], progress["total_steps"]) == (3, None, 9)
    json.dumps(progress, allow_nan=False)


def test_a_file_that_starts_anew_is_read_anew(tmp_path: Path) -> None:
    """A shorter file is another file."""
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path)
    path.write_text('{"event": "note", "text": "one"}\n{"event": "step", "step": 5, "loss": 1.0}\n')
    metrics.read()
    path.write_text('{"event": "step", "step": 1, "loss": 9.0}\n')
    metrics.read()
    assert metrics.losses.points() == [(1, 9.0)]


@settings(max_examples=30)
@given(st.integers(1, 1500))
def test_a_loss_curve_stays_small_and_keeps_its_ends(steps: int) -> None:
    """At most 200 points, in order, the first and the newest among them."""
    losses = Losses()
    for step in range(1, steps + 1):
        losses.add(step, step / 10)
    points = losses.points()
    assert len(points) <= 200
    assert points == sorted(set(points))
    assert (points[0], points[-1]) == ((1, 0.1), (steps, steps / 10))


def test_a_step_back_forgets_what_came_after_it() -> None:
    """After a restart from step 3 the curve is that of the second attempt."""
    losses = Losses()
    for step in (1, 2, 3, 4, 5, 4, 5, 6):
        losses.add(step, float(step))
    assert [step for step, _ in losses.points()] == [1, 2, 3, 4, 5, 6]


def test_a_gpu_line_with_nothing_known_is_still_a_gpu() -> None:
    """Cards in a virtual machine may hide everything but their name."""
    gpu = parse_gpu("3, Tesla T4, [N/A], [N/A], [N/A], [N/A]")
    assert (gpu["index"], gpu["name"], gpu["memory_used_bytes"]) == (3, "Tesla T4", None)
