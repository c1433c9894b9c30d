"""What `up --json` and `resume --json` tell: one JSON object a line, in the order in which it happens.

Each begins with `event`, `at` and `run_id`. Keys may be added, and kinds of events; none is taken away or changes its
meaning without another `schema`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runs.types import StageName  # noqa: TC001 - the schema is made from these annotations

if TYPE_CHECKING:
    from runs.receipt import Receipt

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A run is driven from here on; always the first, unless the run file is wrong.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run; empty before there is one.
        cloud: `azure` or `rehearsal`.
        run_file: The run file.
        event: Its kind.
        schema: Version of these events.
    """

    at: float
    run_id: str
    cloud: str
    run_file: str
    event: Literal["run"] = "run"
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run.
        stage: Which one.
        title: What it does, in a few words.
        event: Its kind.
    """

    at: float
    run_id: str
    stage: StageName
    title: str
    event: Literal["stage-started"] = "stage-started"


@dataclass(frozen=True, slots=True)
class StageWaiting:
    """A stage waits for something else than before.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run.
        stage: Which one.
        what: For what, in words for people.
        event: Its kind.
    """

    at: float
    run_id: str
    stage: StageName
    what: str
    event: Literal["stage-waiting"] = "stage-waiting"


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a stage is; at most twice a second.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run.
        stage: Which one.
        done: So much of `total`.
        total: All of it.
        unit: What is counted: `steps`, `bytes`.
        event: Its kind.
    """

    at: float
    run_id: str
    stage: StageName
    done: float
    total: float
    unit: str
    event: Literal["stage-progress"] = "stage-progress"


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage has done its work.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run.
        stage: Which one.
        summary: Its result in a line, for people.
        seconds: How long it took.
        event: Its kind.
    """

    at: float
    run_id: str
    stage: StageName
    summary: str
    seconds: float
    event: Literal["stage-done"] = "stage-done"


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A stage could not do its work; an `error` follows.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run.
        stage: Which one.
        fact: What went wrong.
        seconds: How long it took.
        event: Its kind.
    """

    at: float
    run_id: str
    stage: StageName
    fact: str
    seconds: float
    event: Literal["stage-failed"] = "stage-failed"


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """Something worth knowing that stops nothing.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run.
        text: In words for people.
        event: Its kind.
    """

    at: float
    run_id: str
    text: str
    event: Literal["note"] = "note"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """What stopped the command.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run; empty before there is one.
        error: The error's name, from the list of errors.
        fact: What is wrong, the value last.
        hint: The next command; empty without one.
        code: The cloud's own code; empty without one.
        problems: A line for each problem of a run file; empty otherwise.
        event: Its kind.
    """

    at: float
    run_id: str
    error: str
    fact: str
    hint: str
    code: str
    problems: tuple[str, ...]
    event: Literal["error"] = "error"


@dataclass(frozen=True, slots=True)
class EndEvent:
    """The command ends; always the last.

    Attributes:
        at: When, in seconds since the epoch.
        run_id: The run; empty when there is none.
        exit_code: The exit code.
        model: Where the model is on this computer; null while it is not home.
        receipt: What was owned, and when each thing was confirmed gone; null while the machine is up.
        event: Its kind.
    """

    at: float
    run_id: str
    exit_code: int
    model: str | None
    receipt: Receipt | None
    event: Literal["end"] = "end"


Event = (
    RunEvent | StageStarted | StageWaiting | StageProgress | StageDone | StageFailed | NoteEvent | ErrorEvent | EndEvent
)
