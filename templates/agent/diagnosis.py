"""Why an attempt failed, in the user's words. It explains an end that has already come and never causes one."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from templates.agent.attempt import Outcome

_TAIL_BYTES = 64 << 10
_FULL_DISK_BYTES = 64 << 20
# Exit codes by which the trainer says itself what was wrong (templates/training/exit_codes.py).
_SAID_BY_CODE = {2: "usage", 65: "bad_data", 70: "nan", 73: "disk_full"}
_HOPELESS_CODES = frozenset({2, 65, 70})
_HINTS = {
    "usage": "the trainer refused its command line: see the log",
    "bad_data": "the trainer refused the data: see the log",
    "out_of_memory": "use a smaller per_device_train_batch_size or model_max_length, or a higher ZeRO stage",
    "host_out_of_memory": "the machine ran out of memory (not the GPU): choose a larger size or no CPU offload",
    "nan": "lower the learning rate or train in bf16",
    "disk_full": "raise storage.size or keep fewer checkpoints",
    "not_started": "see job.json and the environment on the machine",
    "no_marker": "the program left early without an error: see the log",
    "killed": "something outside the run ended it: see the log and `dmesg`",
    "crash": "see the log from the last Traceback on",
}
# The last line of a Python traceback, with or without torchrun's `[rank1]:` before it.
_RAISED = re.compile(r"(?:\[rank\d+\]:\s*)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b(?::.*)?)\s*")
# What the ranks that did not fail say about the one that did; and torchrun about all of them.
_SECOND_HAND = re.compile(r"ChildFailedError|SignalException|Connection closed by peer|Connection reset by peer")


def explain(
    outcome: Outcome, reported: dict[str, object] | None, log_tail: str, free_bytes: int, oom_kills: int
) -> dict[str, str]:
    """The problem as `{"kind", "message", "hint"}`.

    Args:
        outcome: How the attempt ended.
        reported: What the trainer itself reported in this attempt, or None.
        log_tail: The end of what this attempt printed.
        free_bytes: Free space of the workspace when it ended.
        oom_kills: Processes that the kernel ended for want of memory meanwhile.
    """
    kind = _kind(outcome, reported, free_bytes, oom_kills)
    said = last_useful_line(log_tail)
    message = str(reported["text"]) if reported is not None else outcome.error or said or _how(outcome)
    return {"kind": kind, "message": message, "hint": _HINTS.get(kind, _HINTS["crash"])}


def is_hopeless(outcome: Outcome) -> bool:
    """Whether the program said by its exit code that starting it again would end the same way."""
    return outcome.code in _HOPELESS_CODES


def last_useful_line(log_tail: str) -> str | None:
    """The final line of the last first-hand traceback, else the last line that says anything."""
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    raised = [match[1].strip() for match in map(_RAISED.fullmatch, lines) if match]
    first_hand = [line for line in raised if not _SECOND_HAND.search(line)]
    for candidates in (first_hand, raised, lines):
        if candidates:
            return candidates[-1][:500]
    return None


def tail(path: Path, since_offset: int) -> str:
    """What was appended to `path` from `since_offset` on, at most its last 64 KiB."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, min(since_offset, size), size - _TAIL_BYTES))
        return file.read().decode(errors="replace")


def kernel_oom_kills(vmstat: Path) -> int:
    """How many processes this kernel has ended for want of memory; 0 where it does not say."""
    try:
        counters = dict(line.split(" ", 1) for line in vmstat.read_text().splitlines())
    except OSError:
        return 0
    return int(counters.get("oom_kill", 0))


def _kind(outcome: Outcome, reported: dict[str, object] | None, free_bytes: int, oom_kills: int) -> str:
    if reported is not None:
        return str(reported["kind"]).replace("-", "_")
    signs = {
        "not_started": outcome.error is not None,
        "host_out_of_memory": oom_kills > 0,
        "disk_full": free_bytes < _FULL_DISK_BYTES,
        _SAID_BY_CODE.get(outcome.code or 0, "crash"): outcome.code in _SAID_BY_CODE,
        "no_marker": outcome.code == 0,
        "killed": outcome.code is None or outcome.code < 0,
    }
    return next((kind for kind, seen in signs.items() if seen), "crash")


def _how(outcome: Outcome) -> str:
    if outcome.code is None:
        return "ended without a trace"
    if outcome.code < 0:
        return f"ended by signal: {signal.Signals(-outcome.code).name}"
    return f"exit code: {outcome.code}"
