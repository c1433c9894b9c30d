"""A run folder with the real agent.pyz in it, driven as processes the way a machine does."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from templates.zipapps import agent_zipapp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEADLINE_SECONDS = 60.0
_Value = TypeVar("_Value")


def wait_for(look: Callable[[], _Value | None], what: str, deadline_seconds: float = _DEADLINE_SECONDS) -> _Value:
    """The first truthy value of `look`."""
    until = time.monotonic() + deadline_seconds
    while not (value := look()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {deadline_seconds:g} s: {what}")
        time.sleep(0.02)
    return value


def is_running(pid: int) -> bool:
    """Whether the process lives (a zombie does not)."""
    done = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() not in {"", "Z"} and not done.stdout.strip().startswith("Z")


@dataclass
class AgentRun:
    """One run on this computer.

    Attributes:
        root: The run folder.
        limits: What of run.json a test changes.
        environment: Added to the environment of every process.
    """

    root: Path
    limits: dict[str, float] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def create(cls, workspace: Path, environment: dict[str, str] | None = None, **limits: float) -> AgentRun:
        """A run folder as `boot` leaves it, with short waits; no daemon yet."""
        run = cls(workspace / "llamalift" / "demo-abc234", limits, environment or {})
        (run.root / "job").mkdir(parents=True)
        (run.root / "agent.pyz").write_bytes(agent_zipapp())
        (run.root / "run.json").write_text(json.dumps(run_settings(workspace, **limits)))
        return run

    def start(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start a daemon."""
        with (self.root / "daemon.out").open("ab") as out:
            daemon = subprocess.Popen(
                [sys.executable, str(self.root / "agent.pyz"), "serve", "--run-dir", str(self.root), *flags],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.daemons.append(daemon)
        return daemon

    def close(self) -> None:
        """End the daemons, then everything else that this run has started."""
        for daemon in self.daemons:
            daemon.kill()
            daemon.wait()
        for record in self.root.glob("attempts/*/*.json"):
            pid = json.loads(record.read_text()).get("pid")
            if pid is not None and is_running(pid):
                os.kill(pid, signal.SIGKILL)

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one verb of agent.pyz to its end."""
        argv = [sys.executable, str(self.root / "agent.pyz"), *words]
        return subprocess.run(argv, env=self._environment(), capture_output=True, text=True, check=False)

    def status(
        self, log_from: int = 0, log_limit: int | None = None, metrics_from: int | None = None
    ) -> dict[str, Any]:
        """What the client would read."""
        more = [] if log_limit is None else ["--log-limit", str(log_limit)]
        more += [] if metrics_from is None else ["--metrics-from", str(metrics_from)]
        done = self.verb("status", "--run-dir", str(self.root), "--log-from", str(log_from), *more)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def snapshot(self) -> dict[str, Any]:
        """What the daemon last wrote, read without leaving the sign that a client was here."""
        path = self.root / "status.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def wait_for_phase(self, *phases: str) -> dict[str, Any]:
        """The daemon's document once the job is in one of `phases`."""

        def look() -> dict[str, Any] | None:
            document = self.snapshot()
            return document if document.get("phase") in phases else None

        return wait_for(look, f"phase {' or '.join(phases)}; last seen: {self.snapshot()}")

    def submit(self, *steps: dict[str, Any], **more: object) -> None:
        """Drop job.json as the client does: whole, last, by renaming."""
        part = self.root / "job" / "job.json.part"
        part.write_text(json.dumps({"schema": 1, "steps": steps, "secrets_file": None, **more}))
        part.rename(self.root / "job" / "job.json")

    def python_step(self, code: str, name: str = "train", **more: object) -> dict[str, Any]:
        """A step that runs `code`; `mark()` in it writes the step's marker."""
        mark = f"def mark(): open('markers/{name}.json', 'w').write('{{}}')\n"
        step = {"name": name, "argv": [sys.executable, "-c", mark + code], "env": {}, "cwd": str(self.root)}
        return {**step, "marker": f"markers/{name}.json", "max_restarts": 0, **more}

    def log(self) -> str:
        """Everything that the steps printed."""
        return base64.b64decode(self.status()["log"]["data"]).decode()

    def lines(self, name: str) -> list[str]:
        """The lines of a file that a step writes in the run folder."""
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else []

    def _environment(self) -> dict[str, str]:
        quick = {"LLAMALIFT_TICK_SECONDS": "0.05", "LLAMALIFT_BACKOFF_SECONDS": "0.05", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **quick, **self.environment}


def run_settings(workspace: Path, **limits: float) -> dict[str, object]:
    """A run.json with limits that no test reaches, but for those that it names."""
    now = time.time()
    far = {"deadline_at": now + 3600, "dollars_cap": 1000.0, "idle_seconds": 3600, "lost_client_seconds": 3600}
    return {
        "schema": 1,
        "run_id": "demo-abc234",
        "username": "llama",
        "workspace": str(workspace),
        "data_disk_lun": 0,
        "dollars_per_hour": 36.0,
        "machine_started_at": None,
        "created_at": now,
        "discard_after_seconds": 7 * 86400,
        **far,
        **limits,
    }
