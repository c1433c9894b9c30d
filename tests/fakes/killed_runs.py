"""Runs whose client is killed at a chosen point, brought to an end by another client, judged by what the cloud saw."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from provisioning.rehearsal import service
from provisioning.rehearsal.machines import MachineKind
from runs.journal import Journal
from runs.spec.recipes import write_recipe
from runs.state_folder import StateFolder
from runs.types import RunState
from templates.agent.manifest import check_manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from provisioning.rehearsal.service import EmulatorHandle

# Where a client is killed: options of `tests.fakes.killable`.
Fatal = tuple[str, ...]
Ending = Literal["resume", "down"]
ENDINGS: tuple[Ending, ...] = ("resume", "down")

ROOT = Path(__file__).resolve().parents[2]
LLAMALIFT = Path(sys.executable).with_name("llamalift")
STEPS = 2
_COMMAND_SECONDS = 900
_QUIET_SECONDS = 60.0
# One process, two short steps: what a real training costs at least.
_SMALLER = {
    "num_train_epochs: 5": f"max_steps: {STEPS}",
    "processes: 2": "processes: 1",
    "model_max_length: 256": "model_max_length: 64",
    "per_device_train_batch_size: 8": "per_device_train_batch_size: 1",
    "gradient_accumulation_steps: 2": "gradient_accumulation_steps: 1",
    "deepspeed: zero3": "deepspeed: zero1",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one run.

    Attributes:
        points: Where its clients were killed; fewer than asked for when a client came to its end before.
        unfinished: What is missing of the promised end, in words.
        leaks: Ids of what is left in the cloud, and command lines of what is left of its machines.
        doubled: What was done more than once, in words.
        seconds: Wall time of everything.
    """

    points: tuple[str, ...]
    unfinished: tuple[str, ...]
    leaks: tuple[str, ...]
    doubled: tuple[str, ...]
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether every promise held."""
        return not (self.unfinished or self.leaks or self.doubled)


@dataclass(slots=True)
class KilledRun:
    """One run on a rehearsal cloud of its own, which stays until it was looked at.

    Attributes:
        folder: Everything of it: state, project.
    """

    folder: Path
    _began: float = field(default_factory=time.monotonic)
    _points: list[str] = field(default_factory=list)
    _troubles: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def project(self) -> Path:
        """Where the run file is, and the model goes."""
        return self.folder / "project"

    def passed(self) -> list[str]:
        """Every point that an undisturbed run passes, in order."""
        file = self.folder / "points"
        self._prepare()
        try:
            self._client("--points", str(file), "--", "up", str(self.project / "run.yaml"))
            return file.read_text().splitlines()
        finally:
            self._end()

    def killed_at(self, fatal: Sequence[Fatal], ending: Ending, then: Sequence[Fatal] = ()) -> Verdict:
        """Kill one client after the other where `fatal` says, end the run, and judge it.

        Each command that ends the run is first killed where `then` says, once for each.
        """
        self._prepare()
        try:
            return self._killed_at(fatal, ending, then)
        finally:
            self._end()

    def killed_at_each(self, points: Collection[str]) -> Verdict:
        """Kill one client after the other, each at the first of `points` at which none died before; then end the run.

        A client that meets none of them any more ends the run itself.
        """
        self._prepare()
        try:
            words, left = ["up", str(self.project / "run.yaml")], list(points)
            while left and self._dies([word for point in left for word in ("--kill", point)], words):
                left.remove(self._points[-1])
                if self.run_id() is not None:
                    words = ["resume", str(self.run_id())]
            return self._verdict(self._ended("resume", ()), "resume")
        finally:
            self._end()

    def _killed_at(self, fatal: Sequence[Fatal], ending: Ending, then: Sequence[Fatal]) -> Verdict:
        words = ["up", str(self.project / "run.yaml")]
        for options in fatal:
            if not self._dies(options, words):
                break
            if self.run_id() is not None:
                words = ["resume", str(self.run_id())]
        return self._verdict(self._ended(ending, then), ending)

    def _verdict(self, missing: Sequence[str], ending: Ending) -> Verdict:
        return Verdict(
            tuple(self._points), (*missing, *self._troubles), tuple(self._left()), tuple(self._doubled(ending)),
            round(time.monotonic() - self._began, 1),
        )  # fmt: skip

    def _dies(self, options: Sequence[str], words: Sequence[str]) -> bool:
        """Run a client that is to be killed; False when it came to its end before."""
        trail = self.folder / f"trail-{len(self._points)}"
        done = self._client(*options, "--points", str(trail), "--", *words, may_fail=True)
        if done.returncode != -signal.SIGKILL:
            if done.returncode != 0:
                self._troubles.append(f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr[-900:]}")
            return False
        self._points.append(trail.read_text().splitlines()[-1])
        return True

    def _ended(self, ending: Ending, then: Sequence[Fatal]) -> list[str]:
        """End the run as its user would; what is missing then. Killed before it was entered, nothing is to be done."""
        run_id = self.run_id()
        if run_id is None:
            return []
        commands = [["resume", run_id]] if ending == "resume" else self._from_nothing(run_id)
        for words in commands:
            for options in then:
                self._dies(options, words)
            done = self._llamalift(*words)
            if done.returncode != 0:
                return [f"`llamalift {' '.join(words)}` ended with {done.returncode}: {done.stderr[-600:]}"]
        return self._missing(ending)

    def _from_nothing(self, run_id: str) -> list[list[str]]:
        """What the user of another computer does: nothing is there but the cloud."""
        for lost in (*self.state.glob("journal.sqlite*"), *self.state.glob("runs")):
            shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        if not self._left():
            return []
        adopt = ["adopt", "--cloud", "rehearsal", "--take-over", run_id]
        return [adopt, ["down", "--discard", run_id]]

    def _missing(self, ending: Ending) -> list[str]:
        journal, missing = Journal(StateFolder(self.state).journal), []
        if not journal.runs():
            return []
        (row,) = journal.runs()
        if row.state is not RunState.ENDED:
            missing.append(f"the run's state is {row.state}")
        missing += [f"no proof for {each.name}" for each in journal.effects(row.run_id) if each.gone_at is None]
        if ending == "resume":
            missing += [f"the model at home: {difference}" for difference in check_manifest(self.project / "model")]
        return missing

    def _doubled(self, ending: Ending) -> list[str]:
        doubled = []
        for group, counts in service.witness(self._handle())["machines"].items():
            allowed = {"made": 1, "asked_again": 0, "started": 1, "most_at_once": 1}
            doubled += [f"{group}: {what} {counts[what]}" for what, most in allowed.items() if counts[what] > most]
        log = next(iter(self.state.glob("runs/*/train.log")), None)
        if ending == "resume" and log is not None:
            text = log.read_text(errors="replace")
            doubled += [f"{what} {text.count(what)}" for what, most in _TRAINED.items() if text.count(what) > most]
        return doubled

    def _left(self) -> list[str]:
        """What exists in the cloud once nothing is under way there any more."""
        deadline = time.monotonic() + _QUIET_SECONDS
        while (seen := service.witness(self._handle()))["busy"] and time.monotonic() < deadline:
            time.sleep(0.1)
        return [str(resource_id) for resource_id in seen["existing"]]

    def run_id(self) -> str | None:
        """The run's id, once it is in the journal."""
        file = StateFolder(self.state).journal
        rows = Journal(file).runs() if file.exists() else []
        return rows[0].run_id if rows else None

    def _prepare(self) -> None:
        run_file = write_recipe("tiny-cpu", self.project)
        run_file.write_text(smaller(run_file.read_text()))
        # Ours to hold: a client that ends would otherwise take with it what the cloud saw.
        service.ensure_running(self.state)

    def _handle(self) -> EmulatorHandle:
        handle = service.running(self.state)
        assert handle is not None, "the rehearsal cloud is gone"
        return handle

    def _end(self) -> None:
        service.end(self._handle())
        shutil.rmtree(self.folder)

    def _client(self, *words: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        done = self._run(sys.executable, "-m", "tests.fakes.killable", *words)
        assert may_fail or done.returncode == 0, done.stderr
        return done

    def _llamalift(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run(LLAMALIFT, *words)

    def _run(self, *argv: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - words and paths
        environment = {**os.environ, "LLAMALIFT_STATE_DIR": str(self.state), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            list(argv), env=environment, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS
        )


# How often a log may say this: each step once, and one end.
_TRAINED = {"'loss': ": STEPS, "'train_runtime'": 1}


def smaller(run_file: str) -> str:
    """The recipe tiny-cpu as the smallest training that there is."""
    for usual, least in _SMALLER.items():
        assert usual in run_file, usual
        run_file = run_file.replace(usual, least)
    return run_file


def cheapest(environment_cache: Path, byte_code: Path) -> Mapping[str, str]:
    """What the environment must hold for runs to be quick: a ready training environment, machines without a sandbox.

    Args:
        environment_cache: Where a complete training environment is.
        byte_code: Where Python may write byte code, so that not every client compiles the SDKs anew.
    """
    return {
        "LLAMALIFT_ENVIRONMENT_CACHE": str(environment_cache),
        "LLAMALIFT_MACHINES": MachineKind.IN_PROCESS.value,
        "OMP_NUM_THREADS": "1",
        "PYTHONPYCACHEPREFIX": str(byte_code),
        "PYTHONDONTWRITEBYTECODE": "",
    }
