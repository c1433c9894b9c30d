"""The agent on the machine: one question (`status`), and the few things that a client leaves for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remote.command import Command
from remote.decode import DecodeError, decode
from remote.errors import RemoteError
from remote.transfer import send_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote.layout import RunLayout
    from remote.session import Session

SCHEMA = 1
PHASES = frozenset({"waiting", "running", "done", "failed", "stopped"})
DEFAULT_LOG_LIMIT_BYTES = 256 * 1024
_STATUS_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class AgentProcess:
    """The daemon itself.

    Attributes:
        pid: Its process, or None before its first start.
        started_at: When it started, in seconds since 1970.
        alive: It runs now.
    """

    pid: int | None
    started_at: float | None
    alive: bool


@dataclass(frozen=True, slots=True)
class RunningStep:
    """The step of the job that runs now.

    Attributes:
        name: Its name.
        attempt: Counts from 1.
        pid: Its own program.
        started_at: In seconds since 1970.
        silent_seconds: Since its last sign of life; None when it has given none.
    """

    name: str
    attempt: int
    pid: int | None
    started_at: float | None
    silent_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A step that succeeded."""

    name: str
    seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """What the trainer said last; None for what it has not said yet."""

    phase: str | None
    step: int | None
    total_steps: int | None
    loss: float | None
    learning_rate: float | None
    grad_norm: float | None
    epoch: float | None
    tokens_per_second: float | None
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class CompleteCheckpoint:
    """A checkpoint whose manifest agrees with its files."""

    step: int
    path: str
    size_bytes: int = field(metadata={"key": "bytes"})


@dataclass(frozen=True, slots=True)
class Draining:
    """A checkpoint on its way from scratch to the workspace; it counts only when all of it is there."""

    step: int
    bytes: int
    done_bytes: int


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """What could be resumed from, and what is about to be."""

    newest_complete: CompleteCheckpoint | None = None
    complete_steps: tuple[int, ...] = ()
    last_save_seconds: float | None = None
    draining: Draining | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """The workspace's filesystem; zeros before the agent's first look."""

    total_bytes: int = 0
    free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as nvidia-smi last saw it; None for what the card does not tell."""

    index: int
    name: str
    utilization_percent: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    power_watts: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The dead-man switch: its limits, what was spent so far (dollars), and which limit ended the job, if one did."""

    deadline_at: float | None = None
    idle_seconds: float | None = None
    lost_client_seconds: float | None = None
    dollars_cap: float | None = None
    dollars_so_far: float | None = None
    fired: str | None = None


@dataclass(frozen=True, slots=True)
class FinalModel:
    """The finished model on the machine, by the SHA-256 of its MANIFEST.json."""

    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, in words, and what to do about it."""

    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Bytes `start` to `end` of a log that is `size` bytes long. The bytes are the trainer's own, escapes included."""

    start: int = field(metadata={"key": "from"})
    end: int = field(metadata={"key": "to"})
    size: int
    data: bytes = field(repr=False)

    @property
    def is_sound(self) -> bool:
        """Whether its numbers agree."""
        return 0 <= self.start <= self.end <= self.size and self.end - self.start == len(self.data)


@dataclass(frozen=True, slots=True)
class Departure:
    """A notice that the platform ends this start of the machine, or what the end of an earlier one has cost.

    Attributes:
        kind: What the platform calls it (`Preempt` …); `unannounced` without a notice, `limit` for one of the agent's.
        what: `save`, `drain`, `decline` or `nothing`: what the notice was used for.
        reason: Why, with its numbers.
        closed_at: When the next start wrote this down, in seconds since 1970; 0 while this start goes on.
        resumed_at: When training had gone further than its start; None before.
        notice_seconds: How long the notice was; None without one.
        step: The newest step.
        saved_step: The newest durable checkpoint.
        lost_steps: Steps to be trained again.
        step_seconds: A usual step.
    """

    kind: str
    what: str
    reason: str
    closed_at: float = 0.0
    resumed_at: float | None = None
    notice_seconds: float | None = None
    step: int | None = None
    saved_step: int | None = None
    lost_steps: int = 0
    step_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """How things stand on the machine.

    Attributes:
        now: The machine's clock, in seconds since 1970.
        phase: `waiting`, `running`, `done`, `failed` or `stopped`.
        agent: The daemon itself.
        step: What runs now.
        finished_steps: What succeeded.
        progress: What the trainer said last.
        gpus: The GPUs, none on a CPU machine.
        final: The finished model.
        problem: What went wrong.
        notes: What the user should read once.
        losses: Up to 200 points of (step, loss).
        log: What is new in the training log.
        checkpoints: What could be resumed from.
        disk: The workspace's filesystem.
        limits: The dead-man switch.
        departure: What is done with a notice that the machine is taken away, while that is on.
        departures: The ends of earlier starts, oldest first.
        metrics: What is new in metrics.jsonl, where it was asked for.
    """

    now: float
    phase: str
    agent: AgentProcess
    step: RunningStep | None
    finished_steps: tuple[FinishedStep, ...]
    progress: TrainingProgress | None
    gpus: tuple[Gpu, ...]
    final: FinalModel | None
    problem: Problem | None
    notes: tuple[str, ...]
    losses: tuple[tuple[int, float], ...]
    log: LogPiece
    checkpoints: Checkpoints = Checkpoints()
    disk: Disk = Disk()
    limits: Limits = Limits()
    departure: Departure | None = None
    departures: tuple[Departure, ...] = ()
    metrics: LogPiece | None = None


def read_status(
    session: Session,
    layout: RunLayout,
    *,
    log_from: int = 0,
    log_limit: int = DEFAULT_LOG_LIMIT_BYTES,
    metrics_from: int | None = None,
) -> AgentStatus:
    """Ask the agent: one round trip, and no other connection than this one.

    Args:
        session: The machine.
        layout: The run.
        log_from: First byte of the training log that is wanted; negative counts from its end.
        log_limit: Most bytes of the log, and of the metrics, in the answer.
        metrics_from: First byte of metrics.jsonl that is wanted; None asks for nothing of it.

    Raises:
        RemoteError: The answer cannot be understood.
        CommandFailedError: There is no agent, or it failed.
        UnreachableError: The connection broke.
    """
    question = Command.of(
        "python3", layout.agent_zipapp, "status", "--run-dir", layout.run_folder,
        f"--log-from={log_from}", f"--log-limit={log_limit}",
        *([] if metrics_from is None else [f"--metrics-from={metrics_from}"]),
    )  # fmt: skip
    status = parse_status(session.run(question, timeout_seconds=_STATUS_SECONDS).stdout)
    # The copies here are written at `start`: no answer may blow them up.
    for piece, asked in ((status.log, log_from), (status.metrics, metrics_from or 0)):
        if piece is not None and asked >= 0 and piece.start not in {0, asked}:
            raise RemoteError(f"the agent's answer has another piece of the log: {piece}", hint=_SAME_VERSION)
    return status


def parse_status(answer: bytes) -> AgentStatus:
    """The agent's answer, strictly.

    Raises:
        RemoteError: It is no JSON, of another schema, or a value is missing or mistyped.
    """
    try:
        document = json.loads(answer)
        if not isinstance(document, dict):
            raise DecodeError("it is not an object")
        if document.get("schema") != SCHEMA:
            raise _other_schema(document.get("schema"))
        status = decode(AgentStatus, document)
        _check(status)
    except (ValueError, RecursionError, DecodeError) as error:
        raise RemoteError(f"the agent's answer cannot be understood: {error}", hint=_SAME_VERSION) from error
    return status


def submit_job(session: Session, layout: RunLayout, job: Mapping[str, object]) -> None:
    """Hand the job to the agent. It appears at once and whole, and a job that was started is never started again."""
    send_bytes(session, json.dumps(job, indent=1).encode(), layout.job_file)


def stop_job(session: Session, layout: RunLayout) -> None:
    """Ask the agent to end the job: the trainer saves a checkpoint first."""
    session.run(Command.of("python3", layout.agent_zipapp, "stop", "--run-dir", layout.run_folder))


def is_asked_to_stop(session: Session, layout: RunLayout) -> bool:
    """Whether the agent has a request to stop that it has not read yet."""
    return session.run(Command.of("test", "-e", layout.path("control", "stop")), check=False).exit_code == 0


def raise_limits(session: Session, layout: RunLayout, *, deadline_at: float, dollars_cap: float) -> None:
    """Tell the agent new limits; it holds the higher of these and its own. Repeatable."""
    wish = {"deadline_at": deadline_at, "dollars_cap": dollars_cap}
    send_bytes(session, json.dumps(wish).encode(), layout.path("control", "extend"))


def tell_collected(session: Session, layout: RunLayout, manifest_sha256: str) -> None:
    """Tell the agent that the model with this manifest is at home, verified: nothing on the machine is the only copy.

    When a limit ends the machine after that, the agent may delete the whole run.
    """
    told = json.dumps({"manifest_sha256": manifest_sha256}).encode()
    send_bytes(session, told, layout.path("control", "collected"))


def put_secrets(session: Session, layout: RunLayout, secrets: Mapping[str, str]) -> str:
    """Put secrets where the agent gives them to the job; returns the file's path on the machine.

    They travel on standard input only. The file is 0600 in a 0700 folder in memory (`/dev/shm`), gone with the next
    boot; a machine without that (macOS) keeps it in its temporary folder.
    """
    folder = _secrets_folder(session, layout)
    # A folder of somebody else's, or a link, must not become the place of secrets: both make `mkdir` or the test fail.
    is_ours = Command.of("test", "-O", folder).and_then(Command.of("test", "!", "-L", folder))
    made = Command.of("mkdir", "-m", "700", folder).or_else(is_ours)
    session.run(made.and_then(Command.of("chmod", "700", folder)))
    path = f"{folder}/secrets.json"
    send_bytes(session, json.dumps(dict(secrets)).encode(), path, mode=0o600)
    return path


def has_secrets(session: Session, layout: RunLayout) -> bool:
    """Whether what `put_secrets` brought is there still."""
    file = f"{_secrets_folder(session, layout)}/secrets.json"
    return session.run(Command.of("test", "-f", file), check=False).exit_code == 0


def forget_secrets(session: Session, layout: RunLayout) -> None:
    """Remove what `put_secrets` put there. Repeatable."""
    session.run(Command.of("rm", "-rf", "--", _secrets_folder(session, layout)))


_SAME_VERSION = "was this run started by another version of llamalift? Use that one"


def _other_schema(schema: object) -> RemoteError:
    return RemoteError(f"the agent speaks another version of our language: {schema!r}", hint=_SAME_VERSION)


def _check(status: AgentStatus) -> None:
    if status.phase not in PHASES:
        raise DecodeError(f"$.phase is not one that we know: {status.phase}")
    for name, piece in (("log", status.log), ("metrics", status.metrics)):
        if piece is not None and not piece.is_sound:
            raise DecodeError(f"$.{name} contradicts itself: {piece}")


def _secrets_folder(session: Session, layout: RunLayout) -> str:
    memory = session.run(Command.of("test", "-d", "/dev/shm"), check=False).exit_code == 0  # noqa: S108 - made private
    base = "/dev/shm" if memory else _temporary_folder(session)  # noqa: S108
    return f"{base}/llamalift-{layout.run_id}"


def _temporary_folder(session: Session) -> str:
    told = session.run(Command.of("printenv", "TMPDIR"), check=False).stdout.decode().strip()
    return told.rstrip("/") or "/tmp"  # noqa: S108 - the folder made in it is private
