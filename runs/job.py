"""The job that the agent runs: train, then load the result back. Pure functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from templates.training.save_schedule import ladder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote.layout import RunLayout
    from runs.spec.run_file import RunFile
    from templates.training.save_schedule import ShrinkSchedule

# Asked to leave, the trainer finishes its step and saves; a save on a busy disk may take twice the planned time.
_LEAST_GRACE_SECONDS = 60.0
_GRACE_PER_SAVE = 2.0
SCRATCH_MOUNT = "/scratch"
# Before its save_steps, the name of a launch of the recipe's literal way.
_LAUNCH = "train-"
# Where the launchers of several machines meet; open within the run's own network only.
MEETING_PORT = 29400
_FOLLOWING_RESTARTS = 1000
_LAUNCHER = "templates.training.launch"


def render_job(
    spec: RunFile,
    layout: RunLayout,
    *,
    python: str,
    model: str,
    data: str,
    processes: int,
    save_seconds: float,
    secrets_file: str | None,
    number: int = 1,
    evictions_per_hour: float | None = None,
    on_scratch: bool = False,
    seat: Seat | None = None,
) -> Mapping[str, Any]:
    """`job.json`: the steps in order, each with its argv and the marker that alone proves its success.

    Training is one step, or one for each launch of the recipe's literal way; data that is to be curated is so before.

    Args:
        spec: What the run file asks for.
        layout: Where the run's files are on the machine.
        python: The training environment's Python.
        model: The base model's folder on the machine.
        data: The data file on the machine.
        processes: Training processes.
        save_seconds: What one checkpoint should take; who asks the trainer to leave waits long enough for it.
        secrets_file: The secrets on the machine, or None.
        number: Counts submissions; the agent never starts the same job twice, and this makes a new one of it.
        evictions_per_hour: How often the machine is lost; 0 for never, None when not known.
        on_scratch: The machine has local disks that saves go to first; `save_seconds` is then what the drain takes.
        seat: Which of several machines the job is for; None where there is one.
    """
    environment = {"PYTHONPATH": layout.trainer_zipapp, "HF_HOME": layout.hub_cache, "TOKENIZERS_PARALLELISM": "false"}
    meeting = ["--standalone"] if seat is None else seat.words()
    launch = [python, "-m", _LAUNCHER, *meeting, "--nproc_per_node", str(processes)]
    # No line of the log may hold what only the job's environment may.
    masked = [python, "-m", "templates.training.masked", ",".join(spec.secrets)] if secrets_file else []
    # On scratch a save takes far less: the trainer's own first save tells.
    schedule = spec.save_schedule(evictions_per_hour, 0.0 if on_scratch else save_seconds)
    first = {"curate": [*masked, python, *curation_words(layout, data)]} if spec.data.rule_sets else {}
    if first:
        data = curated_data(layout)
    flags = trainer_flags(spec, layout, schedule, model=model, data=data)
    train = [*launch, "-m", "templates.training.train", *flags]
    if spec.storage.scratch == "auto":
        # The machine itself knows best what disks it has; it looks again at each start, since an eviction empties them.
        train = [python, "-m", "templates.training.on_scratch", "--mount", SCRATCH_MOUNT, "--", *train]
    train = [*masked, *train]
    verify = [*masked, python, "-m", "templates.training.verify_model", "--run-dir", layout.run_folder]
    programs = {"train": train}
    if spec.checkpoints.relaunch:
        programs = {f"{_LAUNCH}{every}": [*train, "--llamalift_relaunch", str(every)] for every in ladder(schedule)}
    restarts = {**dict.fromkeys(programs, spec.train.max_restarts), "curate": 1, "verify": 1}
    job = {
        "schema": 1,
        "number": number,
        "steps": [
            {
                "name": name, "argv": argv, "env": environment, "cwd": layout.run_folder,
                "marker": f"markers/{name}.json", "max_restarts": restarts[name],
                # The agent's own figures beside this one: templates/agent/hang.py.
                "hang": {"save_seconds": save_seconds} if name in programs else None,
            }
            for name, argv in {**first, **programs, "verify": verify}.items()
        ],
        "grace_seconds": grace_seconds(save_seconds),
        "save_seconds": save_seconds,
        "secrets_file": secrets_file,
    }  # fmt: skip
    return job if seat is None or seat.node == 0 else _following(job)


@dataclass(frozen=True, slots=True)
class Seat:
    """A machine's place among those that train together.

    Attributes:
        node: Its number, from 0.
        nodes: How many there are.
        first_address: Where the others reach the first one.
    """

    node: int
    nodes: int
    first_address: str

    def words(self) -> list[str]:
        """What torchrun must know of it."""
        return [
            "--nnodes", str(self.nodes), "--node_rank", str(self.node),
            "--master_addr", self.first_address, "--master_port", str(MEETING_PORT),
        ]  # fmt: skip


def _following(job: dict[str, Any]) -> dict[str, Any]:
    """The job of a further machine: it trains beside the first one, whose agent alone decides when to give up.

    That one also notices a training that hangs, and its launcher ends the others'.
    """
    # Each curates for itself: the same rules and data give the same bytes.
    curate = [step for step in job["steps"] if step["name"] == "curate"]
    steps = [step for step in job["steps"] if _LAUNCHER in step["argv"]]
    follows = {"max_restarts": _FOLLOWING_RESTARTS, "hang": None, "follows": True}
    return {**job, "steps": [*curate, *({**step, **follows} for step in steps)]}


def curation_rules_file(layout: RunLayout) -> str:
    """Where the rules are that the data is curated by."""
    return layout.path("job", "curation.json")


def curated_data(layout: RunLayout) -> str:
    """Where the curated data is; what it was curated from stays where it is."""
    return layout.path("inputs", "curated", "data.jsonl")


def curation_words(layout: RunLayout, data: str) -> list[str]:
    """The arguments of Python that curate the data on the machine."""
    words = {"run-dir": layout.run_folder, "input": data, "rules": curation_rules_file(layout)}
    pairs = {**words, "output": curated_data(layout)}.items()
    return ["-m", "templates.curation.step", *(word for name, value in pairs for word in (f"--{name}", value))]


def evictions_file(spec: RunFile, evictions_per_hour: float | None) -> bytes:
    """`job/evictions.json`: for a job that goes on elsewhere, where machines are lost more or less often."""
    return json.dumps(
        {"seconds_between_losses": spec.save_schedule(evictions_per_hour).seconds_between_losses}
    ).encode()


def launch_words(step: str) -> str:
    """A launch of the recipe's literal way in words, from its step's name; empty for every other step."""
    every = step.removeprefix(_LAUNCH)
    return "" if every == step else f"save_steps {every}"


def grace_seconds(save_seconds: float) -> float:
    """How long a trainer that was asked to leave may take for its last checkpoint."""
    return _LEAST_GRACE_SECONDS + _GRACE_PER_SAVE * save_seconds


def trainer_flags(spec: RunFile, layout: RunLayout, schedule: ShrinkSchedule, *, model: str, data: str) -> list[str]:
    """The trainer's command line: the run file's own flags, and where things are on this machine."""
    ours = {
        "model_name_or_path": model,
        "data_path": data,
        "output_dir": layout.checkpoints,
        "prompt_format": spec.data.prompt_format,
        "deepspeed": layout.path("job", "deepspeed.json"),
        "llamalift_schedule": schedule.to_json(),
        "llamalift_keep": str(spec.kept_checkpoints),
        **({"llamalift_mirror": f"{mirror}/{layout.run_id}"} if (mirror := spec.checkpoints.mirror) else {}),
    }
    return [*(word for name, value in ours.items() for word in (f"--{name}", value)), *spec.train.argv()]
