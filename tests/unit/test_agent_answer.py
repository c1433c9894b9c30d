from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.agent import AgentStatus, Disk, parse_status
from remote.errors import RemoteError


def _document(**changes: object) -> dict[str, Any]:
    return {
        "schema": 1,
        "now": 1000,
        "phase": "running",
        "agent": {"pid": 10, "started_at": 900.0, "alive": True},
        "step": {"name": "train", "attempt": 1, "pid": 11, "started_at": 901.0},
        "finished_steps": [{"name": "x", "seconds": 1.5, "attempts": 1}],
        "progress": {
            "phase": "training", "step": 4, "total_steps": 30, "loss": 2, "learning_rate": 2e-5, "grad_norm": None,
            "epoch": 0.5, "tokens_per_second": 1000.0, "eta_seconds": 12.0,
        },
        "checkpoints": {
            "newest_complete": {"step": 4, "path": "/w/checkpoint-4", "bytes": 10},
            "complete_steps": [2, 4], "last_save_seconds": 0.5,
        },
        "disk": {"total_bytes": 100, "free_bytes": 50},
        "gpus": [
            {
                "index": 0, "name": "A100", "utilization_percent": 97.0, "memory_used_bytes": 1,
                "memory_total_bytes": 2, "power_watts": None,
            }
        ],
        "limits": {
            "deadline_at": 2000, "idle_seconds": 60, "lost_client_seconds": 60, "dollars_cap": 5.0,
            "dollars_so_far": 0.1, "fired": None,
        },
        "final": None,
        "problem": None,
        "notes": ["note"],
        "losses": [[1, 3.0], [2, 2]],
        "log": {"from": 5, "to": 8, "size": 9, "data": base64.b64encode(b"abc").decode()},
        **changes,
    }  # fmt: skip


def _parse(document: object) -> AgentStatus:
    return parse_status(json.dumps(document).encode())


def test_a_whole_answer_becomes_a_status() -> None:
    """Every part arrives, with the names and units of this side."""
    status = _parse(_document(something_newer={"a": 1}))
    assert status.phase == "running"
    assert status.progress is not None
    assert status.progress.loss == 2.0
    assert status.checkpoints.newest_complete is not None
    assert status.checkpoints.newest_complete.size_bytes == 10
    assert status.losses == ((1, 3.0), (2, 2.0))
    assert (status.log.start, status.log.end, status.log.size, status.log.data) == (5, 8, 9, b"abc")
    assert status.gpus[0].power_watts is None


def test_an_agent_that_has_just_begun_is_understood() -> None:
    """Before the daemon's first look these parts are null."""
    nothing = dict.fromkeys(("step", "progress", "checkpoints", "disk", "limits", "final", "problem"))
    status = _parse(_document(phase="waiting", **nothing))
    assert status.disk == Disk(0, 0)
    assert status.checkpoints.newest_complete is None
    assert status.limits.fired is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": None},
        {"phase": "dancing"},
        {"phase": 7},
        {"now": "soon"},
        {"now": True},
        {"agent": None},
        {"agent": {"pid": 1}},
        {"step": []},
        {"progress": {"phase": "x"}},
        {"losses": [[1]]},
        {"losses": {"a": 1}},
        {"notes": [1]},
        {"gpus": "none"},
        {"log": {"from": 0, "to": 3, "size": 3, "data": "!!!"}},
        {"log": {"from": -3, "to": 0, "size": 3, "data": "YWJj"}},
        {"log": {"from": 0, "to": 3, "size": 2, "data": "YWJj"}},
        {"log": {"from": 0, "to": 4, "size": 9, "data": "YWJj"}},
        {"checkpoints": {"newest_complete": {"step": "4", "path": "x", "bytes": 1}, "complete_steps": []}},
    ],
)
def test_wrong_values_are_told_by_name(change: dict[str, Any]) -> None:
    """A hostile or newer answer is a RemoteError with a hint, never a KeyError or a half-read status."""
    with pytest.raises(RemoteError) as caught:
        _parse(_document(**change))
    assert caught.value.hint


@pytest.mark.parametrize("key", sorted(set(_document()) - {"checkpoints", "disk", "limits"}))
def test_missing_parts_are_told(key: str) -> None:
    """Nothing is filled in for what the agent always says."""
    document = _document()
    del document[key]
    with pytest.raises(RemoteError):
        _parse(document)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_a_remote_error(answer: bytes) -> None:
    """No bytes make it raise anything else."""
    with pytest.raises(RemoteError):
        parse_status(answer)


def test_deep_nesting_is_refused() -> None:
    """A bomb of brackets is no crash."""
    with pytest.raises(RemoteError):
        parse_status(b"[" * 200_000)


def test_texts_lose_their_terminal_escapes() -> None:
    """What the machine says can be printed as it is."""
    status = _parse(_document(notes=["\x1b[2Jgone\x07"], problem={"kind": "x", "message": "\x1b]0;t\x07m", "hint": ""}))
    assert status.notes == ("gone",)
    assert status.problem is not None
    assert status.problem.message == "m"
