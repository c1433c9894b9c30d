"""What the trainer told, read from metrics.jsonl as it grows."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from runs.training_log import Save, TrainingReader

if TYPE_CHECKING:
    from pathlib import Path


def tell(file: Path, *events: dict[str, object]) -> None:
    """Append events as the trainer does."""
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(event) + "\n" for event in events)


def step(number: int, loss: float | None, **more: object) -> dict[str, object]:
    """A logged step."""
    return {"t": 100.0 + number, "event": "step", "step": number, "total_steps": 6, "loss": loss, **more}


def test_each_call_takes_in_what_is_new(tmp_path: Path) -> None:
    """A growing file is read on, a line that is half written is read when it is whole."""
    file = tmp_path / "metrics.jsonl"
    reader = TrainingReader(file)
    assert reader.read() == ()
    tell(file, {"t": 99.0, "event": "plan", "total_steps": 6, "start_step": 0, "save_steps": [4, 6]}, step(1, 3.0))
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"t": 102.0, "event": "step", "st')
    (first,) = reader.read()
    assert (first.curve("loss"), first.total_steps, first.starts[0].planned_saves) == ([(1, 3.0)], 6, (4, 6))
    with file.open("a", encoding="utf-8") as stream:
        stream.write('ep": 2, "loss": 2.5, "mfu": 0.41}\n')
    (second,) = reader.read()
    assert second.curve("loss") == [(1, 3.0), (2, 2.5)]
    assert second.curve("mfu") == [(2, 0.41)]
    assert second.newest("tokens_per_second") is None
    assert first.points == 1


def test_steps_that_were_lost_leave_the_curve_and_are_counted(tmp_path: Path) -> None:
    """After a restart from checkpoint 2 the steps 3 and 4 are trained again."""
    file = tmp_path / "metrics.jsonl"
    plan = {"t": 99.0, "event": "plan", "total_steps": 6, "start_step": 0, "save_steps": [2]}
    tell(file, plan, *(step(number, 4.0 - number) for number in (1, 2, 3, 4)))
    tell(file, {**plan, "t": 200.0, "start_step": 2}, step(3, 0.5))
    (training,) = TrainingReader(file).read()
    assert training.curve("loss") == [(1, 3.0), (2, 2.0), (3, 0.5)]
    assert [start.lost_steps for start in training.starts] == [0, 2]
    assert training.lost_steps == 2


def test_saves_and_words_are_kept_with_their_kind(tmp_path: Path) -> None:
    """A warning is no problem, and a checkpoint on scratch is not yet one on the workspace."""
    file = tmp_path / "metrics.jsonl"
    tell(
        file,
        {"t": 1.0, "event": "phase", "name": "training"},
        {"t": 2.0, "event": "save", "step": 4, "seconds": 1.5, "bytes": 10},
        {"t": 3.0, "event": "drained", "step": 4, "seconds": 2.5, "bytes": 10},
        {"t": 4.0, "event": "problem", "kind": "loss_spike", "text": "it jumps", "warning": True},
        {"t": 5.0, "event": "problem", "kind": "nan", "text": "not finite"},
        {"t": 6.0, "event": "something new"},
    )
    (training,) = TrainingReader(file).read()
    assert training.saves == (Save(2.0, 4, 1.5, 10, "saved"), Save(3.0, 4, 2.5, 10, "drained"))
    assert [said.kind for said in training.said] == ["phase", "warning", "problem"]


def test_damaged_lines_are_passed_over_and_a_loss_that_is_none_is_a_hole(tmp_path: Path) -> None:
    """A writer that was killed leaves half a line; NaN is written as null."""
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"t": 1.0, "event": "ste\n\n[1]\n')
    tell(file, step(1, None), step(2, 2.0))
    (training,) = TrainingReader(file).read()
    assert training.curve("loss") == [(2, 2.0)]
    assert math.isnan(training.columns["loss"][0])


def test_a_shorter_file_is_another_one(tmp_path: Path) -> None:
    """The copy began again: the run lost its disk."""
    file = tmp_path / "metrics.jsonl"
    tell(file, *(step(number, 3.0) for number in range(1, 6)))
    reader = TrainingReader(file)
    reader.read()
    file.unlink()
    tell(file, step(1, 9.0))
    assert [training.curve("loss") for training in reader.read()] == [[(1, 9.0)]]


def test_each_stage_of_training_has_its_own_curve(tmp_path: Path) -> None:
    """The second stage begins at step 1 again, and loses nothing of the first; what names no stage is the newest's."""
    file = tmp_path / "metrics.jsonl"
    tell(file, step(1, 3.0, stage="instruct"), step(2, 2.0, stage="instruct"), step(1, 5.0, stage="align"))
    tell(file, {"t": 9.0, "event": "drained", "step": 1, "seconds": 1.0, "bytes": 5})
    first, second = TrainingReader(file).read()
    assert (first.stage, first.curve("loss")) == ("instruct", [(1, 3.0), (2, 2.0)])
    assert (second.stage, second.curve("loss"), len(second.saves)) == ("align", [(1, 5.0)], 1)


def test_a_stage_may_be_announced_before_its_steps(tmp_path: Path) -> None:
    """By an event of its own, whatever began before; the only training of a run is no stage."""
    file = tmp_path / "metrics.jsonl"
    tell(file, {"t": 1.0, "event": "note", "text": "first"})
    tell(file, {"t": 1.0, "event": "stage", "name": "instruct", "number": 1, "of": 2}, step(1, 3.0))
    tell(file, {"t": 3.0, "event": "stage", "name": "align", "number": 2, "of": 2}, step(1, 5.0))
    first, second = TrainingReader(file).read()
    assert (first.stage, first.curve("loss"), first.said[0].text) == ("instruct", [(1, 3.0)], "first")
    assert (second.stage, second.curve("loss")) == ("align", [(1, 5.0)])
    file.write_text("")
    tell(file, {"t": 1.0, "event": "stage", "name": "final", "number": 1, "of": 1}, step(1, 3.0))
    assert [training.stage for training in TrainingReader(file).read()] == [""]
