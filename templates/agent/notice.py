"""What is to be done with the notice before the machine goes. Pure: the situation in, the decision with numbers out."""

from __future__ import annotations

from dataclasses import dataclass

SAVE = "save"
DRAIN = "drain"
DECLINE = "decline"
NOTHING = "nothing"

# The manifest of a checkpoint must be on the disk before the machine goes.
MARGIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Drain:
    """A checkpoint on its way from scratch to the durable disk (drain.json)."""

    step: int
    left_bytes: float
    bytes: float
    bytes_per_second: float

    def seconds(self, *, more_bytes: float = 0.0) -> float:
        """Until this one, and so many bytes more, are durable."""
        return (self.left_bytes + more_bytes) / max(self.bytes_per_second, 1.0)


@dataclass(frozen=True, slots=True)
class Work:
    """What would be lost, and how long it takes to save it. Durations in seconds; None is unknown.

    Attributes:
        is_running: A step of the job runs.
        is_loading: It has not begun to train yet.
        step: The newest training step that this attempt reported.
        saved_step: Step of the newest durable checkpoint.
        step_seconds: A usual step.
        since_step: Since the newest step was reported.
        save_seconds: A save.
        since_save: Since a save that goes on began; None when none does.
        drain: A drain that goes on, or the last one; None without scratch.
    """

    is_running: bool
    is_loading: bool = False
    step: int | None = None
    saved_step: int | None = None
    step_seconds: float | None = None
    since_step: float = 0.0
    save_seconds: float | None = None
    since_save: float | None = None
    drain: Drain | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done (`save`, `drain`, `decline` or `nothing`), and why, with the numbers."""

    what: str
    reason: str


def decide(work: Work, notice_seconds: float) -> Decision:
    """Decide what to do with `notice_seconds`.

    `save` asks the trainer for a checkpoint; `drain` lets it work until the checkpoint on scratch is durable; `decline`
    and `nothing` give the machine back at once: a save that would be cut off gains nothing, and waiting costs.
    """
    if not work.is_running:
        return Decision(NOTHING, "nothing runs")
    if work.is_loading:
        return Decision(NOTHING, "no step was trained since the last start")
    need, words = _needed(work)
    within = f"{words}; the notice is {notice_seconds:.0f} s"
    if need + MARGIN_SECONDS <= notice_seconds:
        return Decision(SAVE, within)
    if _is_saved(work):
        return Decision(NOTHING, f"step {work.step} is saved already, and {within}")
    drain = work.drain
    if drain is not None and drain.left_bytes > 0 and drain.seconds() + MARGIN_SECONDS <= notice_seconds:
        return Decision(DRAIN, f"{within}; the checkpoint of step {drain.step} is durable in {drain.seconds():.0f} s")
    return Decision(DECLINE, within)


def _is_saved(work: Work) -> bool:
    """Not every step may be reported: after longer than a step, there may be a newer one."""
    if work.step is None or work.since_save is not None or work.step > (work.saved_step or 0):
        return False
    return work.since_step <= (work.step_seconds or 0.0)


def _needed(work: Work) -> tuple[float, str]:
    """Seconds until a checkpoint of now is durable, and what they are made of. Unknown times count as none: try."""
    save = work.save_seconds or 0.0
    if work.since_save is not None:
        rest = max(0.0, save - work.since_save)
        need, words = rest, f"the save that goes on needs {rest:.0f} of {save:.0f} s more"
    else:
        rest = _rest_of_step(work)
        need, words = rest + save, f"the step needs {rest:.0f} s and a save {save:.0f} s"
    if work.drain is None:
        return need, words
    drain = work.drain.seconds(more_bytes=work.drain.bytes)
    return need + drain, f"{words}, its way to the durable disk {drain:.0f} s"


def _rest_of_step(work: Work) -> float:
    """A step that takes longer than usual may end at any time, or take as long again: that is the safe side."""
    usual = work.step_seconds or 0.0
    return usual - work.since_step if work.since_step < usual else usual
