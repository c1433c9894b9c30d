"""What is done about a failed attempt: one table, kind by kind, and how often.

A step that fails in the same way again and again *without progress* (no newer checkpoint, no later step) is given up
before its restarts are used up: what repeats at the same place does so for a reason that no restart takes away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from templates.agent.settings import Step
    from templates.agent.state import State

_MAX_BACKOFF_SECONDS = 300.0
# 4096 rows, the most that a run file may ask for, halved until one is left.
MAX_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What is done about one kind of failure.

    Attributes:
        do: `again` from the newest complete checkpoint; `smaller`: again, with half the rows in memory at once;
            `room`: again if the half-written checkpoint was what filled the disk; `stop`.
        in_a_row: So many failures of this kind without progress end the step; None leaves it to `max_restarts`.
        hint: What the user can do when it has ended.
    """

    do: Literal["again", "smaller", "room", "stop"]
    in_a_row: int | None
    hint: str


ANSWERS = {
    "gpu_out_of_memory": Answer("smaller", None, "a higher ZeRO stage, a smaller model_max_length or a larger GPU"),
    "host_out_of_memory": Answer(
        "again", 2, "the machine ran out of memory (not the GPU): choose a larger size or no CPU offload"
    ),
    "nan": Answer("stop", None, "lower the learning rate or train in bf16"),
    "hang": Answer("again", 2, "see the stacks of the processes in the log, from `Current thread` on"),
    "communication": Answer("again", 2, "see the log; NCCL_DEBUG=INFO says more, another machine may do better"),
    "alone": Answer("stop", None, "another machine of the run did not come: see how it is, then submit the job again"),
    "disk_full": Answer("room", 2, "raise storage.size or keep fewer checkpoints"),
    "code": Answer("stop", None, "the program is at fault, not the machine: see the log from the last Traceback on"),
    "usage": Answer("stop", None, "the trainer refused its command line: see the log"),
    "bad_data": Answer("stop", None, "the trainer refused the data: see the log"),
    "damaged_input": Answer("stop", None, "the base model's files cannot be read: fetch them again"),
    "bad_model": Answer("again", 2, "what was written is not the model that was trained: see the log"),
    "killed": Answer("again", None, "something outside the run ended it: see the log and `dmesg`"),
    "asked_to_leave": Answer("again", None, "something outside the run asked the trainer to leave: see the log"),
    "no_marker": Answer("again", 3, "the program left early without an error: see the log"),
    "not_started": Answer("again", 2, "see job.json and the environment on the machine"),
    "busy": Answer("again", 3, "end what is left of an earlier attempt on the machine"),
    "crash": Answer("again", 3, "see the log from the last Traceback on"),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an attempt failed.

    Attributes:
        kind: A key of `ANSWERS`; another word is answered like a crash.
        message: In words.
        smaller_helps: False when the trainer said that fewer rows at once would not help.
        room: Whether the disk has room once what the attempt left half-written is removed.
    """

    kind: str
    message: str
    smaller_helps: bool = True
    room: bool = False

    @property
    def answer(self) -> Answer:
        """What is done about it."""
        return ANSWERS.get(self.kind, ANSWERS["crash"])

    def problem(self) -> dict[str, str]:
        """As the status tells it."""
        return {"kind": self.kind, "message": self.message, "hint": self.answer.hint}


def decide(state: State, step: Step, cause: Cause, reached: tuple[int, int]) -> str | None:
    """Count the failure in `state`; the words for starting again, or None when the step has failed for good.

    Args:
        state: `stalled`, `reached`, `crashes`, `halvings` and `waits` are brought up to date.
        step: The step that failed.
        cause: Why.
        reached: The step of the newest complete checkpoint, and the last step trained.
    """
    _note_progress(state, reached)
    answer = cause.answer
    if step.follows and cause.kind == "communication":
        state.waits = 0
        return "as soon as the first machine does"
    state.stalled = {**state.stalled, cause.kind: state.stalled.get(cause.kind, 0) + 1}
    if answer.do == "stop" or (answer.in_a_row is not None and state.stalled[cause.kind] >= answer.in_a_row):
        return None
    if answer.do == "smaller":
        if not cause.smaller_helps or state.halvings >= MAX_HALVINGS:
            return None
        state.halvings += 1
        return f"with half the rows at once, twice as often: the same steps (halved {state.halvings} time(s) so far)"
    if state.crashes >= step.max_restarts or (answer.do == "room" and not cause.room):
        return None
    state.crashes += 1
    return f"restart {state.crashes} of {step.max_restarts}"


def wait_seconds(state: State, first: float) -> float:
    """How long to wait before the next start: `first` seconds, doubled for each failure since the newest checkpoint."""
    state.waits += 1
    return min(_MAX_BACKOFF_SECONDS, first * 2.0 ** (state.waits - 1))


def _note_progress(state: State, reached: tuple[int, int]) -> None:
    checkpoint, step = state.reached
    if reached[0] > checkpoint:
        state.waits = 0
    if reached[0] > checkpoint or reached[1] > step:
        state.stalled = {}
    state.reached = [max(checkpoint, reached[0]), max(step, reached[1])]
