"""A run on the rehearsal cloud whose spot machine is taken away again and again, with and without notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from provisioning.rehearsal import service
from runs.evictions import Eviction, evictions_of
from runs.journal import Journal
from runs.spec.recipes import write_recipe
from runs.state_folder import StateFolder
from templates.agent.manifest import check_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")
Kind = Literal["notice", "no notice", "declined"]

LLAMALIFT = Path(sys.executable).with_name("llamalift")
NOTICE_SECONDS = 30.0
# What a full checkpoint of a 7B model takes on a P30 disk (94 GB at 200 MB/s), and a step on four A100.
P30_TIMES = {"step_seconds": 39.0, "save_seconds": 472.0}
_PATIENCE_SECONDS = 600.0
# Spot, and steps that are short, so that a run has many of them.
_CHANGES = {
    "  processes: 2": "  processes: 2\n  spot: true",
    "num_train_epochs: 5": "max_steps: STEPS",
    "model_max_length: 256": "model_max_length: 64",
    "per_device_train_batch_size: 8": "per_device_train_batch_size: 2",
    "gradient_accumulation_steps: 2": "gradient_accumulation_steps: 1",
    "deepspeed: zero3": "deepspeed: zero2",
    "max_share: 0.2": "max_share: 0.9",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """One eviction as it was played.

    Attributes:
        kind: How the machine was taken.
        what: What the machine says to have done with its notice.
        step: How far training had come.
        lost_steps: Steps that were trained again.
        promised_steps: Most that the schedule in force might lose.
        seconds: Until training went on.
    """

    kind: Kind
    what: str
    step: int
    lost_steps: int
    promised_steps: int
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether the promise held: with a notice that suffices one step, else what the schedule puts at risk."""
        return self.lost_steps <= (1 if self.kind == "notice" else self.promised_steps)


@dataclass(slots=True)
class EvictedRun:
    """One run in a state folder of its own.

    Attributes:
        folder: Everything of it: state, project, output.
        environment: Variables of the client beside this process's own.
        steps: Steps to train.
    """

    folder: Path
    environment: Mapping[str, str]
    steps: int
    _clients: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _root: Path | None = None

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return StateFolder(self.folder / "state")

    @property
    def output(self) -> str:
        """What the clients said."""
        return (self.folder / "output").read_text(errors="replace")

    def start(self) -> None:
        """Begin the run: `llamalift up` in a process of its own."""
        run_file = write_recipe("tiny-cpu", self.folder / "project")
        text = run_file.read_text()
        for old, new in _CHANGES.items():
            assert old in text, f"the recipe has changed: {old}"
            text = text.replace(old, new.replace("STEPS", str(self.steps)))
        run_file.write_text(text)
        self._client("up", str(run_file))

    def evict(self, kind: Kind, after_steps: int, *, kill_client: bool = False) -> Loss:
        """Take the machine away once it has trained so many steps since it came back; wait until training goes on.

        Args:
            kind: With notice, without, or with one in which a save cannot fit.
            after_steps: Steps that it lives.
            kill_client: `kill -9` the client right after that; `resume` follows.
        """
        before = self._wait(lambda: self._trained(after_steps), f"{after_steps} steps")
        count, promised = len(before["departures"]), self.promised_steps()
        began, measured = time.monotonic(), self._measured() if kind == "declined" else None
        service.evict(
            self._handle(), f"{self.run_id}-vm", notice_seconds=0.0 if kind == "no notice" else NOTICE_SECONDS
        )
        if measured is not None:
            self._wait(self._declined, "the notice to be declined")
            self._times.write_text(measured)
        if kill_client:
            self._kill_client()
        last = self._wait(lambda: self._resumed(count), f"training to go on after eviction {count + 1}")
        return Loss(
            kind, last["what"], last["step"] or 0, last["lost_steps"], promised, round(time.monotonic() - began, 1)
        )

    def finish(self) -> list[str]:
        """Wait until the client is done; gives what is wrong with the end of the run, in words."""
        code = self._clients[-1].wait(_PATIENCE_SECONDS)
        wrong = [] if code == 0 else [f"the client ended with {code}: {self.output[-2000:]}"]
        wrong += check_manifest(self.model)
        left = service.running(self.state.root)
        return wrong if left is None else [*wrong, f"the rehearsal cloud still runs: {left.pid}"]

    def close(self) -> None:
        """End what is still running, and delete what is left in the cloud."""
        for client in self._clients:
            if client.poll() is None:
                os.killpg(client.pid, signal.SIGKILL)
                client.wait()
        if self.state.journal.exists() and service.running(self.state.root) is not None:
            self._client("down", "--discard", self.run_id)
            self._clients[-1].wait(_PATIENCE_SECONDS)

    @property
    def model(self) -> Path:
        """The model at home."""
        return self.folder / "project" / "model"

    @property
    def weights(self) -> bytes:
        """Its weights."""
        return (self.model / "model.safetensors").read_bytes()

    @property
    def evictions(self) -> tuple[Eviction, ...]:
        """What the journal says."""
        return evictions_of(Journal(self.state.journal), self.run_id)

    @property
    def run_id(self) -> str:
        """The id of the run."""
        (row,) = Journal(self.state.journal).runs()
        return row.run_id

    def promised_steps(self) -> int:
        """The widest gap between two saves of the schedule in force, as the trainer has told it."""
        lines = (self._workspace() / "metrics.jsonl").read_text().splitlines()
        plan = [event for event in map(_event, lines) if event.get("event") == "plan"][-1]
        # Intervals never grow.
        return int(plan["save_steps"][0]) - int(plan["start_step"]) if plan["save_steps"] else 0

    def _kill_client(self) -> None:
        os.killpg(self._clients[-1].pid, signal.SIGKILL)
        self._clients[-1].wait()
        self._client("resume", self.run_id)

    def _client(self, *words: str) -> None:
        environment = {**os.environ, **self.environment, "LLAMALIFT_STATE_DIR": str(self.state.root)}
        with (self.folder / "output").open("ab") as output:
            self._clients.append(
                subprocess.Popen(
                    [LLAMALIFT, *words], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True,
                )
            )  # fmt: skip

    def _handle(self) -> service.EmulatorHandle:
        handle = service.running(self.state.root)
        assert handle is not None, "the rehearsal cloud is gone"
        return handle

    def _workspace(self) -> Path:
        """The run's folder on its disk, as the cloud keeps it: no machine has to be asked."""
        if self._root is None:
            found = self._wait(
                lambda: [*self.state.root.rglob(f"llamalift/{self.run_id}/status.json")], "the workspace"
            )
            self._root = found[0].parent
        return self._root

    @property
    def _times(self) -> Path:
        return self._workspace() / "checkpoints" / "save-times.json"

    def _measured(self) -> str:
        """What the trainer has measured of steps and saves, as it has written it down."""
        return self._wait(lambda: self._times.read_text() if self._times.exists() else "", "a measured save")

    def _declined(self) -> bool:
        """Whether the machine may go; until then what the trainer measures gives way to what a slow disk takes."""
        part = self._times.with_name(".as-on-p30")
        part.write_text(json.dumps(P30_TIMES))
        part.replace(self._times)
        return bool((self._state().get("departure") or {}).get("acknowledged_at"))

    def _state(self) -> dict[str, Any]:
        return _json(self._workspace() / "state.json")

    def _trained(self, after_steps: int) -> dict[str, Any] | None:
        """The machine's status once it is at work and has come so far."""
        self._look_after_client()
        if not self.state.journal.exists() or not Journal(self.state.journal).runs():
            return None
        status = _json(self._workspace() / "status.json")
        departures, step = status.get("departures") or [], (status.get("progress") or {}).get("step")
        if status.get("phase") != "running" or step is None or status.get("departure") is not None:
            return None
        from_step = (departures[-1]["saved_step"] or 0) if departures else 0
        is_back = not departures or departures[-1]["resumed_at"] is not None
        return status if is_back and step >= from_step + after_steps else None

    def _resumed(self, count: int) -> dict[str, Any] | None:
        """What the machine wrote down about the eviction after `count` others, once training goes on."""
        self._look_after_client()
        departures = _json(self._workspace() / "status.json").get("departures") or []
        last: dict[str, Any] | None = departures[-1] if len(departures) > count else None
        return last if last is not None and last["resumed_at"] is not None else None

    def _look_after_client(self) -> None:
        code = self._clients[-1].poll()
        assert code is None, f"the client ended with {code}: {self.output[-3000:]}"

    @staticmethod
    def _wait(look: Callable[[], _T | None], what: str) -> _T:
        until = time.monotonic() + _PATIENCE_SECONDS
        while not (found := look()):
            assert time.monotonic() < until, f"waited {_PATIENCE_SECONDS:.0f} s for {what}"
            time.sleep(0.05)
        return found


def _json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value


def _event(line: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:  # the machine went down in the middle of it
        return {}
    return event
