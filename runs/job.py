"""The job that the agent runs: train, load the result back, stage after stage, then ask and score it. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runs.after_job import after_steps
from runs.delivery import deliver_steps, promised
from runs.training_steps import LAUNCHER, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote.layout import RunLayout
    from runs.spec.run_file import RunFile
    from runs.training_steps import Inputs, Seat

# Asked to leave, the trainer finishes its step and saves; a save on a busy disk may take twice the planned time.
_LEAST_GRACE_SECONDS = 60.0
_GRACE_PER_SAVE = 2.0
_FOLLOWING_RESTARTS = 1000
_STAGE_STEPS = frozenset({"train", "verify", "keep"})


def render_job(
    spec: RunFile,
    layout: RunLayout,
    inputs: Inputs,
    *,
    processes: int,
    save_seconds: float,
    secrets_file: str | None,
    number: int = 1,
    evictions_per_hour: float | None = None,
    on_scratch: bool = False,
    seat: Seat | None = None,
) -> Mapping[str, Any]:
    """`job.json`: the steps in order, each with its argv and the marker that alone proves its success.

    A training is one step, or one for each launch of the recipe's literal way; then its model is loaded back. Of
    several stages each is such a row, and answers, scores and the model card come last.

    Args:
        spec: What the run file asks for.
        layout: Where the run's files are on the machine.
        inputs: Where what it reads is.
        processes: Training processes.
        save_seconds: What one checkpoint should take; who asks the trainer to leave waits long enough for it.
        secrets_file: The secrets on the machine, or None.
        number: Counts submissions; the agent never starts the same job twice, and this makes a new one of it.
        evictions_per_hour: How often the machine is lost; 0 for never, None when not known.
        on_scratch: The machine has local disks that saves go to first; `save_seconds` is then what the drain takes.
        seat: Which of several machines the job is for; None where there is one.
    """
    trainings = spec.trainings
    rows = [Row(training, layout, inputs, at, len(trainings), processes, seat) for at, training in enumerate(trainings)]
    # On scratch a save takes far less: the trainer's own first save tells.
    expected = 0.0 if on_scratch else save_seconds
    steps: list[dict[str, Any]] = []
    for row, base in zip(rows, [inputs.model, *(row.model for row in rows)], strict=False):
        steps += row.steps(base, row.spec.save_schedule(evictions_per_hour, expected), save_seconds)
    steps += after_steps(spec, layout, inputs, [row.model for row in rows])
    steps += deliver_steps(spec, layout, inputs.python)
    # No line of the log may hold what only the job's environment may.
    masked = [inputs.python, "-m", "templates.training.masked", ",".join(spec.secrets)] if secrets_file else []
    environment = {"PYTHONPATH": layout.trainer_zipapp, "HF_HOME": layout.hub_cache, "TOKENIZERS_PARALLELISM": "false"}
    job = {
        "schema": 1,
        "number": number,
        "steps": [
            {**step, "argv": [*masked, *step["argv"]], "env": environment, "cwd": layout.run_folder} for step in steps
        ],
        "promised": promised(spec),
        "grace_seconds": grace_seconds(save_seconds),
        "save_seconds": save_seconds,
        "secrets_file": secrets_file,
    }
    return job if seat is None or seat.node == 0 else _following(job)


def _following(job: dict[str, Any]) -> dict[str, Any]:
    """The job of a further machine: it trains beside the first one, whose agent alone decides when to give up.

    That one also notices a training that hangs, and its launcher ends the others'.
    """
    steps = [step for step in job["steps"] if LAUNCHER in step["argv"]]
    follows = {"max_restarts": _FOLLOWING_RESTARTS, "hang": None, "follows": True}
    return {**job, "steps": [{**step, **follows} for step in steps]}


def evictions_file(spec: RunFile, evictions_per_hour: float | None) -> bytes:
    """`job/evictions.json`: for a job that goes on elsewhere, where machines are lost more or less often."""
    return json.dumps(
        {"seconds_between_losses": spec.save_schedule(evictions_per_hour).seconds_between_losses}
    ).encode()


def launch_words(step: str) -> str:
    """A step's name in words where a job has several of its kind: a launch of the literal recipe, or a stage's."""
    kind, _, of = step.partition("-")
    if not of:
        return ""
    return f"save_steps {of}" if of.isdigit() else f"stage {of}" if kind in _STAGE_STEPS else ""


def grace_seconds(save_seconds: float) -> float:
    """How long a trainer that was asked to leave may take for its last checkpoint."""
    return _LEAST_GRACE_SECONDS + _GRACE_PER_SAVE * save_seconds
