"""Why an attempt failed, and what is done about it: pure, from the table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from templates.agent.answers import ANSWERS, MAX_HALVINGS, Cause, decide, wait_seconds
from templates.agent.attempt import Outcome
from templates.agent.diagnosis import Evidence, explain, rank_reports
from templates.agent.settings import Step
from templates.agent.state import State
from templates.training import exit_codes

RUN_LIFE = Path(__file__).parents[2] / "docs" / "concepts" / "failures.md"
STEP = Step(name="train", argv=("x",), env={}, cwd=None, marker="m", max_restarts=3, grace_seconds=1)


def report(kind: str, rank: int, at: float, **more: object) -> dict[str, Any]:
    """What a rank wrote before it ended."""
    return {"kind": kind, "text": f"{kind} here", "rank": rank, "t": at, **more}


def fail(state: State, kind: str, reached: tuple[int, int] = (0, 0), **more: bool) -> bool:
    """One more failure; whether it is started again."""
    return decide(state, STEP, Cause(kind, "words", **more), reached) is not None


def test_every_kind_has_a_hint_and_a_row_in_the_docs() -> None:
    """The page's table has exactly the kinds of the code; loss_spike ends nothing and has a row all the same."""
    listed = re.findall(r"^\| `([a-z_]+)` \|", RUN_LIFE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted([*ANSWERS, "loss_spike"])
    assert all(answer.hint for answer in ANSWERS.values())


def test_each_exit_code_of_the_trainer_is_understood() -> None:
    """The agent's list of codes and the trainer's are two files; they agree."""
    codes = {name: code for name, code in vars(exit_codes).items() if isinstance(code, int)}
    for name, code in codes.items():
        kind = explain(Evidence(Outcome(code))).kind
        assert (kind == "crash") == (name == "CRASH"), name
    assert {kind: explain(Evidence(Outcome(code))).kind for kind, code in exit_codes.BY_KIND.items()} == {
        kind: kind for kind in exit_codes.BY_KIND
    }


def test_the_first_rank_with_a_trouble_of_its_own_is_believed() -> None:
    """Not the one that lost its peer, however early it said so, and not what the launcher ended with."""
    reports = [
        report("communication", 0, 1.0),
        report("gpu_out_of_memory", 3, 2.0, smaller_helps=True),
        report("crash", 1, 3.0),
    ]
    cause = explain(Evidence(Outcome(83), reports, log_tail="RuntimeError: Connection closed by peer"))
    assert (cause.kind, cause.message) == ("gpu_out_of_memory", "gpu_out_of_memory here (rank 3)")


def test_a_lost_peer_is_second_hand() -> None:
    """A killed rank leaves no report; that the others lost it is no communication error."""
    lost = [report("communication", 0, 1.0)]
    assert explain(Evidence(Outcome(137), lost)).kind == "killed"
    assert explain(Evidence(Outcome(137), lost)).message == "ended by signal: SIGKILL"
    assert explain(Evidence(Outcome(83), lost, oom_kills=1)).kind == "host_out_of_memory"
    assert explain(Evidence(Outcome(83), lost)).kind == "communication"


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "gpu_out_of_memory"),
        ("[rank1]: torch.distributed.DistBackendError: NCCL error in: x.cpp", "communication"),
        ("ModuleNotFoundError: No module named 'deepspeed'", "code"),
        ("  SyntaxError: invalid syntax", "code"),
        ("ValueError: NCCL error, CUDA out of memory, disk full", "crash"),
        ("CUDA out of memory", "crash"),
    ],
)
def test_without_a_report_the_last_traceback_names_the_type(log: str, kind: str) -> None:
    """By the error's type, never by words that somebody printed."""
    assert explain(Evidence(Outcome(1), log_tail=log)).kind == kind


def test_nccls_watchdog_is_known_by_its_abort() -> None:
    """It ends the process from C++ (SIGABRT): only then do its words count."""
    words = "[rank0]:[E] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=3)"
    assert explain(Evidence(Outcome(134), log_tail=words)).kind == "communication"
    assert explain(Evidence(Outcome(137), log_tail=words)).kind == "killed"
    assert explain(Evidence(Outcome(139), log_tail=words)).message == "ended by signal: SIGSEGV"


def test_a_half_written_report_says_nothing(tmp_path: Path) -> None:
    """A full disk leaves an empty file; the others are read."""
    (tmp_path / "rank-0.json").write_text("")
    (tmp_path / "rank-1.json").write_text(json.dumps(report("crash", 1, 1.0)))
    (tmp_path / "rank-2.json").write_text("{}")
    assert [found["rank"] for found in rank_reports(tmp_path)] == [1]


@pytest.mark.parametrize("kind", ["nan", "code", "usage", "bad_data", "damaged_input"])
def test_what_would_end_the_same_way_is_not_tried_again(kind: str) -> None:
    """The same program on the same data."""
    assert not fail(State(), kind)


def test_a_full_gpu_is_answered_with_fewer_rows_and_no_restart_is_used_up() -> None:
    """Again and again, until the trainer says that it has one row left, or that rows are not what fills it."""
    state = State()
    for _ in range(MAX_HALVINGS):
        assert fail(state, "gpu_out_of_memory", smaller_helps=True)
    assert (state.halvings, state.crashes) == (MAX_HALVINGS, 0)
    assert not fail(state, "gpu_out_of_memory")
    assert not fail(State(), "gpu_out_of_memory", smaller_helps=False)


def test_a_full_disk_is_tried_again_only_with_room() -> None:
    """Not blindly: when what the attempt left half-written was what filled it."""
    assert not fail(State(), "disk_full")
    state = State()
    assert fail(state, "disk_full", room=True)
    assert not fail(state, "disk_full", room=True)


@pytest.mark.parametrize(
    ("kind", "starts"), [("communication", 1), ("hang", 1), ("host_out_of_memory", 1), ("crash", 2)]
)
def test_the_same_trouble_at_the_same_place_ends_it(kind: str, starts: int) -> None:
    """Restarts are left, but nothing was reached since the last failure of this kind."""
    state = State()
    for _ in range(starts):
        assert fail(state, kind, (100, 120))
    assert not fail(state, kind, (100, 120))


def test_progress_makes_it_a_new_trouble() -> None:
    """A later step or a newer checkpoint; then only max_restarts bounds it."""
    state = State()
    for round_ in range(1, 4):
        assert fail(state, "communication", (100, 120 + round_))
    assert not fail(state, "communication", (200, 220))
    assert state.crashes == 3


def test_kills_from_outside_are_bounded_by_max_restarts_alone() -> None:
    """Who is killed does nothing wrong at that place."""
    state = State()
    assert [fail(state, "killed") for _ in range(4)] == [True, True, True, False]


def test_waits_double_until_there_is_a_newer_checkpoint() -> None:
    """From the first wait on, at most five minutes."""
    state = State()
    waits = []
    for reached in [(0, 1), (0, 2), (0, 3), (8, 8), (8, 9)]:
        fail(state, "killed", reached)
        waits.append(wait_seconds(state, 10))
    assert waits == [10, 20, 40, 10, 20]
    assert wait_seconds(State(waits=30), 10) == 300
