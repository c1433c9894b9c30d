"""The real trainer under the real agent: a run folder with both archives, as a machine has it."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.agent_run import AgentRun, wait_for
from tests.fakes.training_run import DEADLINE_SECONDS, ROWS, TrainingRun, children

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAKES = Path(__file__).parent
# Short rows, eight a step. Saving may take all the time it likes, so that the ladder alone decides.
BASE_FLAGS = shlex.split(
    "--model_name_or_path huggyllama/llama-7b --data_path data.json --output_dir checkpoints --model_max_length 192 "
    "--per_device_train_batch_size 4 --learning_rate 1e-3 --warmup_steps 2 --logging_steps 1 --bf16 True "
    "--lr_scheduler_type cosine --deepspeed configs/deepspeed_config.json"
)


@dataclass
class AgentTraining:
    """One run.

    Attributes:
        agent: Its agent.
        training: Its trainer's side.
        environment: Added to the trainer's environment.
    """

    agent: AgentRun
    training: TrainingRun
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def prepare(cls, workspace: Path, python: Path, deepspeed: str) -> AgentTraining:
        """Make the run folder; nothing runs yet."""
        training = prepare_training(workspace / "llamalift" / "demo-abc234", python, deepspeed)
        return cls(AgentRun.create(workspace), training)

    def on_small_gpu(self, rows: int, free_calls: int) -> None:
        """Give rank 1 a GPU that holds so many rows (tests/fakes/small_gpu)."""
        self.environment |= {"SMALL_GPU_ROWS": str(rows), "SMALL_GPU_CALLS": str(free_calls)}

    def submit(self, flags: Sequence[str], **more: object) -> None:
        """Hand the training over, as the client does."""
        root = self.agent.root
        path = [
            str(root / "trainer.pyz"),
            *([str(_FAKES / "small_gpu")] if "SMALL_GPU_ROWS" in self.environment else []),
        ]
        launch = ["-m", "templates.training.launch", "--standalone", "--nproc_per_node", "2"]
        step = {
            "name": "train",
            "argv": [str(self.training.python), *launch, "-m", "templates.training.train", *flags],
            "env": {
                "PYTHONPATH": ":".join(path), "HF_HOME": str(root / "hf"), "OMP_NUM_THREADS": "1", **self.environment,
            },
            "cwd": str(root), "marker": "markers/train.json", "max_restarts": 0, **more,
        }  # fmt: skip
        self.agent.submit(step)

    def attempt(self) -> Path:
        """The records of the newest attempt; waits for the first."""
        return wait_for(lambda: max(self._attempts(), default=None, key=_number), "an attempt")

    def attempts(self) -> list[Path]:
        """The records of every attempt so far, oldest first."""
        return sorted(self._attempts(), key=_number)

    def beat(self, records: Path) -> dict[str, Any]:
        """An attempt's newest heartbeat, empty before the first."""
        return read(records / "heartbeat.json")

    def wait_for_beat(self, records: Path, phase: str, step: int = 0) -> dict[str, Any]:
        """Its first heartbeat in `phase` at or after `step`."""

        def look() -> dict[str, Any] | None:
            beat = self.beat(records)
            return beat if beat.get("phase") == phase and beat["step"] >= step else None

        return wait_for(look, f"{phase}: {self.log()[-2000:]}", DEADLINE_SECONDS)

    def ranks(self, records: Path) -> list[int]:
        """The processes of an attempt's ranks, in no order."""
        launcher = read(records / "leader.json").get("pid")
        return [] if launcher is None else list(children(launcher))

    def wait_until_done(self) -> dict[str, Any]:
        """The agent's document once the job has ended."""
        until = ("done", "failed", "stopped")
        return wait_for(
            lambda: document if (document := self.agent.snapshot()).get("phase") in until else None,
            "the end of the job", 3 * DEADLINE_SECONDS,
        )  # fmt: skip

    def losses(self) -> dict[int, float]:
        """The loss of each step as it was trained last."""
        return {event["step"]: event["loss"] for event in self.training.events("step")}

    def log(self) -> str:
        """What the trainer printed so far."""
        path = self.agent.root / "logs" / "train.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def digest(self) -> str:
        """SHA-256 of the final weights."""
        return weights_digest(self.training)

    def _attempts(self) -> list[Path]:
        return [path for path in self.agent.root.glob("attempts/*") if (path / "claim.json").exists()]


def prepare_training(folder: Path, python: Path, deepspeed: str) -> TrainingRun:
    """A run folder with the shortest rows, none of which is cut: every step has all its rows."""
    training = TrainingRun.prepare(folder, python, deepspeed)
    with as_file(files("templates")) as templates:
        rows = json.loads((templates / "data" / "instructions.json").read_text())
    rows.sort(key=lambda row: len(json.dumps(row)))
    (folder / "data.json").write_text(json.dumps(rows[:ROWS]))
    return training


def weights_digest(training: TrainingRun) -> str:
    """SHA-256 of a run's final weights."""
    return hashlib.sha256((training.folder / "final" / "model.safetensors").read_bytes()).hexdigest()


def read(path: Path) -> dict[str, Any]:
    """A small JSON file; empty while it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _number(records: Path) -> int:
    return int(records.name.rpartition("-")[2])
