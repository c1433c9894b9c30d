from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.agent import AgentStatus, Disk, parse_status
from remote.errors import RemoteError
from tests.fakes.agent_answer import agent_answer


def _parse(document: object) -> AgentStatus:
    return parse_status(json.dumps(document).encode())


def test_a_whole_answer_becomes_a_status() -> None:
    """Every part arrives, with the names and units of this side."""
    status = _parse(agent_answer(something_newer={"a": 1}))
    assert status.phase == "running"
    assert status.progress is not None
    assert status.progress.loss == 2.0
    assert status.checkpoints.newest_complete is not None
    assert status.checkpoints.newest_complete.size_bytes == 10
    assert status.losses == ((1, 3.0), (2, 2.0))
    assert (status.log.start, status.log.end, status.log.size, status.log.data) == (5, 8, 9, b"abc")
    assert status.gpus[0].power_watts is None
    assert status.metrics is None


def test_an_agent_that_has_just_begun_is_understood() -> None:
    """Before the daemon's first look these parts are null."""
    nothing = dict.fromkeys(("step", "progress", "checkpoints", "disk", "limits", "final", "problem"))
    status = _parse(agent_answer(phase="waiting", **nothing))
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
        {"metrics": {"from": 0, "to": 4, "size": 9, "data": "YWJj"}},
        {"checkpoints": {"newest_complete": {"step": "4", "path": "x", "bytes": 1}, "complete_steps": []}},
    ],
)
def test_wrong_values_are_told_by_name(change: dict[str, Any]) -> None:
    """A hostile or newer answer is a RemoteError with a hint, never a KeyError or a half-read status."""
    with pytest.raises(RemoteError) as caught:
        _parse(agent_answer(**change))
    assert caught.value.hint


@pytest.mark.parametrize("key", sorted(set(agent_answer()) - {"checkpoints", "disk", "limits"}))
def test_missing_parts_are_told(key: str) -> None:
    """Nothing is filled in for what the agent always says."""
    document = agent_answer()
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
    status = _parse(
        agent_answer(notes=["\x1b[2Jgone\x07"], problem={"kind": "x", "message": "\x1b]0;t\x07m", "hint": ""})
    )
    assert status.notes == ("gone",)
    assert status.problem is not None
    assert status.problem.message == "m"
