"""The job that the agent runs: train, load the result back, stage after stage, then ask and score it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runs.after_job import after_steps
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
_STAGE_STEPS = frozenset({"train", "verify", "keep"})
# What a run without stages calls its model where a name is needed.
FINAL = "final"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where on the machine a job finds what it reads.

    Attributes:
        python: The training environment's Python.
        model: The base model's folder.
        data: The data file.
        stage_data: That of each stage which has its own, by the stage's name.
        questions: What the finished model is asked; empty for nothing.
        task_folder: Tasks of the user's own; empty for none.
    """

    python: str
    model: str
    data: str
    stage_data: Mapping[str, str] = field(default_factory=dict)
    questions: str = ""
    task_folder: str = ""


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
    """
    rows = [
        _Row(training, layout, inputs, at, len(spec.trainings), processes) for at, training in enumerate(spec.trainings)
    ]
    # On scratch a save takes far less: the trainer's own first save tells.
    expected = 0.0 if on_scratch else save_seconds
    steps: list[dict[str, Any]] = []
    for row, base in zip(rows, [inputs.model, *(row.model for row in rows)], strict=False):
        steps += row.steps(base, row.spec.save_schedule(evictions_per_hour, expected), save_seconds)
    steps += after_steps(spec, layout, inputs, [row.model for row in rows])
    # No line of the log may hold what only the job's environment may.
    masked = [inputs.python, "-m", "templates.training.masked", ",".join(spec.secrets)] if secrets_file else []
    environment = {"PYTHONPATH": layout.trainer_zipapp, "HF_HOME": layout.hub_cache, "TOKENIZERS_PARALLELISM": "false"}
    return {
        "schema": 1,
        "number": number,
        "steps": [
            {**step, "argv": [*masked, *step["argv"]], "env": environment, "cwd": layout.run_folder} for step in steps
        ],
        "grace_seconds": grace_seconds(save_seconds),
        "save_seconds": save_seconds,
        "secrets_file": secrets_file,
    }


@dataclass(frozen=True, slots=True)
class _Row:
    """The steps of one training: a stage, or the only one."""

    spec: RunFile
    layout: RunLayout
    inputs: Inputs
    at: int
    of: int
    processes: int

    @property
    def is_last(self) -> bool:
        return self.at == self.of - 1

    @property
    def model(self) -> str:
        """Where its model is once all of its steps are done."""
        return self.layout.final if self.is_last else self.layout.stage_model(self.spec.stage_name)

    @property
    def is_kept(self) -> bool:
        """Whether the job goes on after its model was verified."""
        return bool(self.spec.stage_name) or self.spec.after.has_results

    def steps(self, base: str, schedule: ShrinkSchedule, save_seconds: float) -> list[dict[str, Any]]:
        stage, python = self.spec.stage_name, self.inputs.python
        launch = [python, "-m", "templates.training.launch", "--standalone", "--nproc_per_node", str(self.processes)]
        data = self.inputs.stage_data.get(stage, self.inputs.data)
        flags = trainer_flags(self.spec, self.layout, schedule, model=base, data=data)
        train = [*launch, "-m", "templates.training.train", *flags]
        programs = {f"train{stage and '-'}{stage}": train}
        if self.spec.checkpoints.relaunch:
            programs = {f"{_LAUNCH}{every}": [*train, "--llamalift_relaunch", str(every)] for every in ladder(schedule)}
        # The agent's own figures beside this one: templates/agent/hang.py.
        hang, restarts = {"save_seconds": save_seconds}, self.spec.train.max_restarts
        # The trainer knows no stage: each begins without the marker, and leaves it anew.
        steps = [
            self._step(name, self._on_scratch(argv), "train.json" if stage else f"{name}.json", restarts, hang)
            for name, argv in programs.items()
        ]
        verify = [python, "-m", "templates.training.verify_model", "--run-dir", self.layout.run_folder]
        steps.append(self._step(f"verify{stage and '-'}{stage}", verify, "verify.json", 1, None))
        return [*steps, self._keep()] if self.is_kept else steps

    def _keep(self) -> dict[str, Any]:
        stage = self.spec.stage_name or FINAL
        argv = [self.inputs.python, "-m", "templates.training.keep_stage", "--stage", stage]
        argv = [*argv, "--last"] if self.is_last else self._on_scratch(argv)
        return _step(f"keep-{stage}", argv, f"keep-{stage}.json", 1, None)

    def _step(
        self, name: str, argv: list[str], marker: str, restarts: int, hang: Mapping[str, float] | None
    ) -> dict[str, Any]:
        if self.is_kept:
            unless = [self.inputs.python, "-m", "templates.training.unless_done"]
            unless += ["--stage", self.spec.stage_name or FINAL, "--marker", f"markers/{marker}"]
            argv = [*unless, "--number", str(self.at + 1), "--of", str(self.of), "--", *argv]
        return _step(name, argv, marker, restarts, hang)

    def _on_scratch(self, argv: list[str]) -> list[str]:
        """The machine itself knows best what disks it has; it looks again at each start: an eviction empties them."""
        if self.spec.storage.scratch != "auto":
            return argv
        return [self.inputs.python, "-m", "templates.training.on_scratch", "--mount", SCRATCH_MOUNT, "--", *argv]


def _step(name: str, argv: list[str], marker: str, restarts: int, hang: Mapping[str, float] | None) -> dict[str, Any]:
    return {"name": name, "argv": argv, "marker": f"markers/{marker}", "max_restarts": restarts, "hang": hang}


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


def trainer_flags(spec: RunFile, layout: RunLayout, schedule: ShrinkSchedule, *, model: str, data: str) -> list[str]:
    """The trainer's command line: the run file's own flags, and where things are on this machine."""
    ours = {
        "model_name_or_path": model,
        "data_path": data,
        "output_dir": layout.checkpoints,
        "prompt_format": spec.data.prompt_format,
        "deepspeed": deepspeed_path(spec, layout),
        "llamalift_schedule": schedule.to_json(),
        "llamalift_keep": str(spec.kept_checkpoints),
        **({"llamalift_mirror": f"{mirror}/{_mirrored(spec, layout)}"} if (mirror := spec.checkpoints.mirror) else {}),
    }
    return [*(word for name, value in ours.items() for word in (f"--{name}", value)), *spec.train.argv()]


def deepspeed_path(spec: RunFile, layout: RunLayout) -> str:
    """Where on the machine the DeepSpeed config of a training is."""
    return layout.path("job", f"deepspeed{spec.stage_name and '-'}{spec.stage_name}.json")


def _mirrored(spec: RunFile, layout: RunLayout) -> str:
    """A place of its own for each run and each stage: one never goes on from another's checkpoints."""
    return f"{layout.run_id}/{spec.stage_name}" if spec.stage_name else layout.run_id
