"""A run folder as the machine has it, in which tests start the real trainer."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from templates.training.tiny_llama import write_tiny_llama
from templates.zipapps import trainer_zipapp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEADLINE_SECONDS = 300
ROWS = 64

# Eight rows a step: 16 steps. Saving may take all the time it likes, so that the ladder alone decides.
FLAGS = shlex.split(
    "--model_name_or_path huggyllama/llama-7b --data_path data.json --output_dir checkpoints --num_train_epochs 2 "
    "--model_max_length 256 --per_device_train_batch_size 4 --learning_rate 1e-3 --warmup_steps 2 --logging_steps 1 "
    "--lr_scheduler_type cosine --bf16 True --deepspeed configs/deepspeed_config.json "
    '--llamalift_schedule \'{"first_interval": 4, "max_share": 1.0}\''
)
STEPS = 16
PLANNED_SAVES = [4, 8, 12, 14, 15, 16]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A prepared run folder: trainer.pyz, base weights under huggyllama/llama-7b, data.json, configs/.

    Attributes:
        folder: The run folder.
        python: The training environment's Python.
    """

    folder: Path
    python: Path

    @classmethod
    def prepare(cls, folder: Path, python: Path, deepspeed: str) -> TrainingRun:
        """Make the folder, with the shipped DeepSpeed configuration `deepspeed`."""
        folder.mkdir(parents=True)
        (folder / "trainer.pyz").write_bytes(trainer_zipapp())
        write_tiny_llama(folder / "huggyllama" / "llama-7b")
        with as_file(files("templates")) as templates:
            rows = json.loads((templates / "data" / "instructions.json").read_text())
            (folder / "data.json").write_text(json.dumps(rows[:ROWS]))
            (folder / "configs").mkdir()
            shutil.copy(templates / "deepspeed" / f"{deepspeed}.json", folder / "configs" / "deepspeed_config.json")
        return cls(folder, python)

    def start(
        self,
        flags: Sequence[str],
        *,
        processes: int = 2,
        module: str = "templates.training.train",
        meeting: Sequence[str] = ("--standalone",),
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start the ranks, as the agent would; `module` may be one that calls the trainer's `main`."""
        launcher = ["-m", "templates.training.launch", *meeting, "--nproc_per_node", str(processes)]
        argv = [str(self.python), *launcher, "-m", module, *flags]
        with (self.folder / "train.log").open("ab") as log:
            return subprocess.Popen(
                argv,
                cwd=self.folder,
                env=self._environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def train(
        self, flags: Sequence[str], *, processes: int = 2, module: str = "templates.training.train", **environment: str
    ) -> int:
        """Train to the end; give the exit code."""
        return self.start(flags, processes=processes, module=module, **environment).wait(DEADLINE_SECONDS)

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Load the final model in a process of its own."""
        argv = [str(self.python), "-m", "templates.training.verify_model", "--run-dir", str(self.folder)]
        return subprocess.run(
            argv, env=self._environment(), capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS
        )

    def python_says(self, program: str, *words: str) -> str:
        """Run a few lines in the training environment; give what they print."""
        argv = [str(self.python), "-c", program, *words]
        done = subprocess.run(
            argv, cwd=self.folder, env=self._environment(), stdout=subprocess.PIPE, check=True, timeout=DEADLINE_SECONDS
        )
        return done.stdout.decode()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Give the events of a kind so far."""
        path = self.folder / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def notes(self) -> list[str]:
        """Give the notes so far."""
        return [event["text"] for event in self.events("note")]

    def curve(self) -> list[tuple[object, ...]]:
        """Give step, loss, learning rate and gradient norm, to the last digit; a step done again counts last."""
        names = ("step", "loss", "learning_rate", "grad_norm")
        points = {event["step"]: tuple(event[name] for name in names) for event in self.events("step")}
        return [points[step] for step in sorted(points)]

    def digest(self) -> str:
        """Give the SHA-256 of the final weights."""
        return hashlib.sha256((self.folder / "final" / "model.safetensors").read_bytes()).hexdigest()

    def wait_for(self, kind: str, process: subprocess.Popen[bytes], count: int = 1) -> None:
        """Wait until so many events of a kind are there."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.events(kind)) < count:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {kind} event: {self.log()[-2000:]}")
            time.sleep(0.02)

    def log(self) -> str:
        """Give what the trainer said."""
        return (self.folder / "train.log").read_text(errors="replace")

    def marker(self, name: str) -> dict[str, Any] | None:
        """Give a marker's words, None without it."""
        path = self.folder / "markers" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "COVERAGE_"))}
        return inherited | {
            "PYTHONPATH": str(self.folder / "trainer.pyz"),
            "HF_HOME": str(self.folder / "hf"),
            "LLAMALIFT_RUN_DIR": str(self.folder),
            "OMP_NUM_THREADS": "1",
        }


def children(pid: int) -> Iterator[int]:
    """Give the processes that a process started and that are still there."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in listing.stdout.splitlines())
    return (int(child) for child, parent in pairs if int(parent) == pid)


def wait_until_gone(pids: Sequence[int]) -> None:
    """Wait until none of the processes is there (a zombie is not)."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while left := [pid for pid in pids if _is_running(pid)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"still running: {left}")
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    seen = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(seen.stdout.strip()) and not seen.stdout.strip().startswith("Z")
