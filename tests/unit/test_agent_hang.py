"""When a silent trainer has hung, and when the computer only slept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from templates.agent.hang import HangLimits, Silence

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = HangLimits(save_seconds=471.0)


@pytest.mark.parametrize(
    ("beat", "seconds"),
    [
        (None, 3600),
        ({"phase": "loading"}, 3600),
        ({"phase": "training", "step": 0}, 3600),
        ({"phase": "training", "step": 5, "step_seconds": 2.0}, 600),
        ({"phase": "training", "step": 5, "step_seconds": 90.0}, 900),
        ({"phase": "saving", "step": 5, "step_seconds": 2.0}, 600 + 4710),
        ({"phase": "saving_final", "step": 5}, 600 + 4710),
    ],
)
def test_each_phase_has_its_own_patience(beat: dict[str, object] | None, seconds: float) -> None:
    """Ten usual steps, but ten minutes; a first step may compile; a save may take ten times what was planned."""
    assert LIMITS.allowed_seconds(beat) == seconds


def test_silence_is_counted_while_the_heartbeat_stays_the_same(tmp_path: Path) -> None:
    """A new beat, or a new attempt, begins anew."""
    silence = Silence()
    beat = {"phase": "training", "step": 3, "step_seconds": 1.5}
    (tmp_path / "heartbeat.json").write_text(json.dumps(beat))
    for second in range(8):
        silence.look(tmp_path, monotonic=float(second))
    assert (silence.seconds, silence.step) == (7.0, 3)
    assert silence.words() == "no sign of life for 7 s in training after step 3 (a usual step takes 1.5 s)"
    (tmp_path / "heartbeat.json").write_text(json.dumps(beat | {"step": 4}))
    silence.look(tmp_path, monotonic=9.0)
    assert silence.seconds == 0
    (tmp_path / "next").mkdir()
    silence.look(tmp_path, monotonic=10.0)
    silence.look(tmp_path / "next", monotonic=11.0)
    assert (silence.seconds, silence.beat) == (0, None)


def test_a_computer_that_slept_adds_nothing(tmp_path: Path) -> None:
    """Between two looks of an agent that was awake there is a second; an hour means that nobody was."""
    silence = Silence()
    for at in [0.0, 1.0, 3601.0, 3602.0]:
        silence.look(tmp_path, monotonic=at)
    assert silence.seconds == 1 + 5 + 1


def test_a_half_written_heartbeat_is_no_sign_of_life(tmp_path: Path) -> None:
    """A full disk leaves an empty file."""
    silence = Silence()
    (tmp_path / "heartbeat.json").write_text('{"step": 3}')
    silence.look(tmp_path, monotonic=0.0)
    (tmp_path / "heartbeat.json").write_text("")
    silence.look(tmp_path, monotonic=1.0)
    assert (silence.seconds, silence.step) == (1.0, 3)
