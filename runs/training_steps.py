"""The steps of one training in a job: train, load the result back, keep it. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runs.curation_step import trained_data
from templates.training.save_schedule import ladder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote.layout import RunLayout
    from runs.spec.run_file import RunFile
    from templates.training.save_schedule import ShrinkSchedule

SCRATCH_MOUNT = "/scratch"
# Where the launchers of several machines meet; open within the run's own network only.
MEETING_PORT = 29400
LAUNCHER = "templates.training.launch"
# Before its save_steps, the name of a launch of the recipe's literal way.
LAUNCH = "train-"
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


@dataclass(frozen=True, slots=True)
class Row:
    """The steps of one training: a stage, or the only one.

    Attributes:
        spec: The run file as the training sees it.
        layout: Where the run's files are on the machine.
        inputs: Where what it reads is.
        at: Which of the trainings it is, from 0.
        of: How many there are.
        processes: Training processes.
        seat: Which of several machines the job is for; None where there is one.
    """

    spec: RunFile
    layout: RunLayout
    inputs: Inputs
    at: int
    of: int
    processes: int
    seat: Seat | None

    @property
    def is_last(self) -> bool:
        """Whether no training comes after it."""
        return self.at == self.of - 1

    @property
    def model(self) -> str:
        """Where its model is once all of its steps are done."""
        return self.layout.final if self.is_last else self.layout.stage_model(self.spec.stage_name)

    @property
    def is_kept(self) -> bool:
        """Whether the job goes on after its model was verified, and must know that if it is handed over again.

        Several machines begin each training together, so there none of them passes over it.
        """
        return self.seat is None and (bool(self.spec.stage_name) or self.spec.after.has_results)

    def steps(self, base: str, schedule: ShrinkSchedule, save_seconds: float) -> list[dict[str, Any]]:
        """Give the steps: train (once for each launch of the literal recipe), load the model back, keep it.

        Args:
            base: The model that it starts from.
            schedule: When to save.
            save_seconds: What one checkpoint should take.
        """
        stage, python = self.spec.stage_name, self.inputs.python
        meeting = ["--standalone"] if self.seat is None else self.seat.words()
        launch = [python, "-m", LAUNCHER, *meeting, "--nproc_per_node", str(self.processes)]
        data = trained_data(self.spec, self.inputs, self.layout)
        flags = trainer_flags(self.spec, self.layout, schedule, model=base, data=data)
        train = [*launch, "-m", "templates.training.train", *flags]
        programs = {f"train{stage and '-'}{stage}": train}
        if self.spec.checkpoints.relaunch:
            programs = {f"{LAUNCH}{every}": [*train, "--llamalift_relaunch", str(every)] for every in ladder(schedule)}
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
