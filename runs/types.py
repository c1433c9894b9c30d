"""The words of this layer: a run's stages and states, and how it tells what it does.

The facts that stages leave for each other are in `runs.facts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StageName(StrEnum):
    """The life of a run, in order (docs/concepts/run-life.md)."""

    PLAN = "plan"
    STAGE = "stage"
    PROVISION = "provision"
    BOOTSTRAP = "bootstrap"
    SYNC = "sync"
    TRAIN = "train"
    COLLECT = "collect"
    TEARDOWN = "teardown"


class StageState(StrEnum):
    """How far a stage is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunState(StrEnum):
    """Where a run stands as a whole.

    `active` may own cloud resources; `ended` owns none (each has its proof of deletion).
    """

    ACTIVE = "active"
    ENDED = "ended"


class EffectMoment(StrEnum):
    """A moment in a cloud resource's life: intents are written before the effect, the others after it."""

    CREATE_INTENDED = "create_intended_at"
    CREATED = "created_at"
    DELETE_INTENDED = "delete_intended_at"
    GONE = "gone_at"


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the journal knows it; times are seconds since the epoch."""

    run_id: str
    name: str
    cloud: str
    created_at: float
    run_file: str
    spec_text: str
    spec_sha256: str
    state: RunState


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of one run."""

    stage: StageName
    state: StageState
    started_at: float
    ended_at: float | None
    summary: str


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One cloud resource and the times of its life; None means it has not happened."""

    kind: str
    name: str
    resource_id: str
    create_intended_at: float | None
    created_at: float | None
    delete_intended_at: float | None
    gone_at: float | None


class EventKind(StrEnum):
    """What the journal's events are told apart by, where anybody does."""

    NOTE = ""
    CONNECTION_LOST = "connection"


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to a run, at a time in seconds since the epoch."""

    at: float
    text: str
    kind: EventKind


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """Who drives a run, and when it last said so."""

    holder: str
    host: str
    pid: int
    heartbeat_at: float


class Reporter(Protocol):
    """How a run tells what it does. Called from any thread; the CLI draws it, the API may ignore it."""

    def started(self, stage: StageName, title: str) -> None:
        """`stage` begins; `title` says in a few words what it does."""
        ...

    def waiting(self, stage: StageName, what: str) -> None:
        """`stage` is waiting for `what`."""
        ...

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """`stage` is `done` of `total` `unit`s along."""
        ...

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """`stage` is done; `summary` is its one-line result."""
        ...

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """`stage` failed with `fact`."""
        ...

    def note(self, text: str) -> None:
        """Something worth knowing that stops nothing."""
        ...


class Silent:
    """A reporter that says nothing."""

    def started(self, stage: StageName, title: str) -> None:
        """Say nothing."""

    def waiting(self, stage: StageName, what: str) -> None:
        """Say nothing."""

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """Say nothing."""

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """Say nothing."""

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""
