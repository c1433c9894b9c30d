from __future__ import annotations

import math
from dataclasses import replace

import pytest

from templates.agent.events import LEAST_NOTICE_SECONDS, read_event
from templates.agent.notice import DECLINE, DRAIN, NOTHING, SAVE, Drain, Work, decide

NOW = 1_700_000_000.0
# A 7B model on a disk of 200 MB/s, and a tiny one.
SLOW = Work(is_running=True, step=812, saved_step=800, step_seconds=39.0, since_step=9.0, save_seconds=472.0)
QUICK = Work(is_running=True, step=12, saved_step=10, step_seconds=4.0, since_step=1.0, save_seconds=6.0)
DRAINING = Drain(step=800, left_bytes=2e9, bytes=94e9, bytes_per_second=200e6)


@pytest.mark.parametrize(
    ("work", "what", "said"),
    [
        (QUICK, SAVE, "the step needs 3 s and a save 6 s; the notice is 30 s"),
        (SLOW, DECLINE, "the step needs 30 s and a save 472 s; the notice is 30 s"),
        (replace(QUICK, save_seconds=26.0), DECLINE, "a save 26 s"),
        (replace(QUICK, save_seconds=25.0), SAVE, "a save 25 s"),
        (replace(QUICK, since_step=5.0, save_seconds=25.0), DECLINE, "the step needs 4 s and a save 25 s"),
        (replace(SLOW, since_save=460.0), SAVE, "the save that goes on needs 12 of 472 s more"),
        (replace(SLOW, since_save=100.0), DECLINE, "the save that goes on needs 372 of 472 s more"),
        (replace(QUICK, step=10), SAVE, "the step needs 3 s"),
        (replace(SLOW, step=800), NOTHING, "step 800 is saved already, and the step needs 30 s"),
        (replace(SLOW, step=800, since_step=50.0), DECLINE, "the step needs 39 s"),
        (replace(QUICK, step=10, since_save=1.0), SAVE, "the save that goes on needs 5 of 6 s more"),
        (replace(QUICK, is_loading=True), NOTHING, "no step was trained"),
        (Work(is_running=False), NOTHING, "nothing runs"),
        (Work(is_running=True), SAVE, "the step needs 0 s and a save 0 s"),
        (replace(QUICK, drain=DRAINING), DRAIN, "the checkpoint of step 800 is durable in 10 s"),
        (replace(QUICK, drain=replace(DRAINING, left_bytes=6e9)), DECLINE, "its way to the durable disk 500 s"),
        (replace(QUICK, drain=replace(DRAINING, left_bytes=0.0)), DECLINE, "its way to the durable disk 470 s"),
        (replace(QUICK, drain=Drain(10, 0.0, 1e9, 200e6)), SAVE, "its way to the durable disk 5 s"),
    ],
)  # fmt: skip
def test_what_the_notice_is_good_for(work: Work, what: str, said: str) -> None:
    """A checkpoint that can be durable in time is made; one that cannot is not begun; and the numbers are told."""
    decision = decide(work, 30.0)
    assert (decision.what, said in decision.reason) == (what, True), decision


@pytest.mark.parametrize(
    ("not_before", "notice_seconds"),
    [
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:13:19 GMT", LEAST_NOTICE_SECONDS),
        ("", LEAST_NOTICE_SECONDS),
        ("soon", LEAST_NOTICE_SECONDS),
        (None, LEAST_NOTICE_SECONDS),
    ],
)
def test_how_long_the_notice_is(not_before: str | None, notice_seconds: float) -> None:
    """Azure's date where it lies ahead; empty, unreadable or over by this clock, its least notice from now."""
    event = read_event({"EventId": "e", "EventType": "Preempt", "NotBefore": not_before}, NOW)
    assert math.isclose(event.ends_at - event.seen_at, notice_seconds)
