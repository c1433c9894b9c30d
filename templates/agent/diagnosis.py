"""Why an attempt failed, in the user's words. It explains an end that has already come and never causes one.

What is believed, in this order: what a rank itself reported before it ended (the first one whose trouble was its own),
the kernel, the exit code, the disk, and last the type of the error in the log's final traceback.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.agent.answers import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from templates.agent.attempt import Outcome

_TAIL_BYTES = 64 << 10
_FULL_DISK_BYTES = 64 << 20
_BY_SIGNAL = 128
# Exit codes by which the trainer says itself what was wrong (templates/training/exit_codes.py).
_SAID_BY_CODE = {
    2: "usage", 65: "bad_data", 66: "damaged_input", 69: "busy", 70: "nan", 71: "bad_model", 73: "disk_full",
    75: "asked_to_leave", 80: "gpu_out_of_memory", 81: "host_out_of_memory", 82: "code", 83: "communication",
    84: "alone",
}  # fmt: skip
# Sent from outside; every other signal is a fault of the program's own.
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_SAID_BY_TYPE = {
    "OutOfMemoryError": "gpu_out_of_memory",
    "MemoryError": "host_out_of_memory",
    **dict.fromkeys(("DistBackendError", "DistNetworkError", "DistStoreError"), "communication"),
    **dict.fromkeys(("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError"), "code"),
    "AttributeError": "code",
}
# The last line of a Python traceback, with or without torchrun's `[rank1]:` before it.
_RAISED = re.compile(r"(?:\[rank\d+\]:\s*)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b(?::.*)?)\s*")
# What the ranks that did not fail say about the one that did; and torchrun about all of them.
_SECOND_HAND = re.compile(r"ChildFailedError|SignalException|Connection closed by peer|Connection reset by peer")
# NCCL's watchdog ends a process from C++, by SIGABRT: there is no traceback to go by.
_WATCHDOG = re.compile(r"Watchdog caught collective operation timeout|ncclRemoteError|ncclSystemError|NCCL error")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the end of an attempt.

    Attributes:
        outcome: How it ended.
        reports: What its ranks wrote down before they ended (templates/training/rank_report.py).
        reported: The newest problem in metrics.jsonl that ended a program, or None.
        log_tail: The end of what it printed.
        free_bytes: Free space of the workspace when it ended.
        oom_kills: Processes that the kernel ended for want of memory meanwhile.
        room: Whether there is room for a checkpoint once the half-written one is gone.
    """

    outcome: Outcome
    reports: Sequence[dict[str, Any]] = ()
    reported: dict[str, Any] | None = None
    log_tail: str = ""
    free_bytes: int = 1 << 62
    oom_kills: int = 0
    room: bool = False


def explain(evidence: Evidence) -> Cause:
    """Name the cause."""
    report = _first_report(evidence.reports)
    first_hand = report is not None and report["kind"] != "communication"
    kind = str(report["kind"]) if report is not None and first_hand else _kind_without(evidence, report)
    said = evidence.outcome.error or last_useful_line(evidence.log_tail)
    if report is not None and kind == report["kind"]:
        said = f"{report['text']} (rank {report['rank']})"
    elif evidence.reported is not None:
        said = str(evidence.reported["text"])
    return Cause(
        kind,
        _how(evidence.outcome, said, kind),
        smaller_helps=report is None or bool(report.get("smaller_helps", True)),
        room=evidence.room,
    )


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


def rank_reports(records: Path) -> list[dict[str, Any]]:
    """What the ranks of an attempt reported; one that could not be written whole (a full disk) says nothing."""
    found = []
    for path in sorted(records.glob("rank-*.json")):
        try:
            report = atomic.read_json(path)
        except ValueError:
            continue
        if report is not None and {"kind", "text", "rank", "t"} <= report.keys():
            found.append(report)
    return found


def _first_report(reports: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The earliest one: a rank that lost its peers says so in the same second as the one that had the trouble."""
    return min(reports, key=lambda report: (report["kind"] == "communication", report["t"]), default=None)


def _kind_without(evidence: Evidence, second_hand: dict[str, Any] | None) -> str:
    """The kind when no rank has reported a trouble of its own."""
    outcome, code = evidence.outcome, evidence.outcome.code
    number = -code if code is not None and code < 0 else (code or 0) - _BY_SIGNAL
    signs = (
        ("not_started", outcome.error is not None),
        ("host_out_of_memory", evidence.oom_kills > 0),
        (_reported_kind(evidence), evidence.reported is not None),
        (_SAID_BY_CODE.get(code or 0, ""), code in _SAID_BY_CODE),
        ("communication", number == signal.SIGABRT and _WATCHDOG.search(evidence.log_tail) is not None),
        ("killed", number in _FROM_OUTSIDE),
        ("crash", number > 0),
        ("disk_full", evidence.free_bytes < _FULL_DISK_BYTES),
        ("communication", second_hand is not None),
        ("killed", code is None),
        ("no_marker", code == 0),
        (_kind_of_line(evidence.log_tail), True),
    )
    return next(kind for kind, seen in signs if seen)


def _reported_kind(evidence: Evidence) -> str:
    return str((evidence.reported or {}).get("kind")).replace("-", "_")


def _kind_of_line(log_tail: str) -> str:
    """By the type of the error that ended it: the last traceback's, `crash` for any other."""
    name = (last_useful_line(log_tail) or "").split(":")[0].rpartition(".")[2]
    return _SAID_BY_TYPE.get(name, "crash")


def _how(outcome: Outcome, said: str | None, kind: str) -> str:
    """What was said, and for an end by a signal its name: the log's last line had nothing to do with that."""
    code = outcome.code
    number = 0 if code is None else -code if code < 0 else code - _BY_SIGNAL
    if number > 0 and kind in {"killed", "crash"}:
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return f"ended by signal: {name}"
    if said is not None and (code is not None or kind != "killed"):
        return said
    return "ended without a trace" if code is None else f"exit code: {code}"
