"""Every answer there is. A command that learns `--json` gets a line here, and so a schema and a place in the docs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Form(StrEnum):
    """What is printed."""

    OBJECT = "one object"
    LIST = "a list of objects"
    LINES = "one object a line, as things happen"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command prints.

    Attributes:
        kind: The type, as `module:Name`.
        form: One of it, or several.
        flattened: Fields whose own fields stand in their place.
        loose: Fields that are printed in another form than they have; `more` says in which.
        more: Keys beside those of the type: each with its schema. They are there only sometimes.
        command: What prints it, where it is not the command of that name alone.
    """

    kind: str
    form: Form = Form.OBJECT
    flattened: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command: str = ""


_IN_CLOUD = {"in_cloud": {"type": "string", "description": "What the cloud has of it; only with `--cloud`."}}

_TRAININGS = {
    "schema": {"type": "integer", "description": "Version of this answer."},
    "trainings": {
        "type": "array",
        "description": "Each training of the run: its figures, curves of at most 200 points, saves and starts.",
    },
}

_CURATED = {
    "schema": {"type": "integer", "description": "Version of this answer."},
    "fingerprint": {"type": "string", "description": "SHA-256 over rules, input and output."},
}

ANSWERS: Mapping[str, Answer] = {
    "plan": Answer("cli.answers.shapes:PlanAnswer"),
    "up": Answer("cli.events:Event", Form.LINES),
    "resume": Answer("cli.events:Event", Form.LINES),
    "ls": Answer("runs.overview:OverviewLine", Form.LIST, more=_IN_CLOUD),
    "status": Answer("runs.status:RunStatus", loose=("trainings",), more=_TRAININGS, command="status RUN"),
    "status-all": Answer("cli.answers.shapes:FleetAnswer", command="status"),
    "events": Answer("cli.answers.shapes:EventsAnswer"),
    "attempts": Answer("runs.journal.attempts:Attempt", Form.LIST, flattened=("placement",)),
    "cost": Answer("cli.answers.shapes:CostAnswer"),
    "collect": Answer("runs.facts:Collected"),
    "extend": Answer("runs.facts:Extension"),
    "pause": Answer("runs.pause:Paused"),
    "down": Answer("runs.receipt:Receipt"),
    "adopt": Answer("cli.answers.shapes:AdoptAnswer"),
    "sweep": Answer("cli.answers.shapes:SweepAnswer"),
    "ssh-config": Answer("runs.ssh_access:SshAccess"),
    "allow-me": Answer("runs.callers:Admitted"),
    "curate": Answer("templates.curation.report:Report", more=_CURATED),
    "doctor": Answer("runs.checkup.finding:Checkup"),
    "smoke": Answer("cli.answers.shapes:SmokeAnswer"),
}
