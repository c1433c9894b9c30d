"""A user's terminal: the installed `llamalift` as a process of its own, on a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

LLAMALIFT = Path(sys.executable).with_name("llamalift")


@dataclass(slots=True)
class Terminal:
    """Runs commands as a user would; what it started is ended by `close`.

    Attributes:
        state: The state folder.
        environment: Variables beside the test's own.
        started: What goes on while the test looks.
        folder: Where commands are run; None is where the test runs.
    """

    state: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    folder: Path | None = None

    def run(self, *words: str, expect: int = 0, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """One command, to its end; its exit code must be the expected one."""
        done = subprocess.run(
            [LLAMALIFT, *words],
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == expect, f"llamalift {words} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> Any:  # noqa: ANN401 - whatever JSON the command prints
        """One command's `--json` answer."""
        return json.loads(self.run(*words, "--json").stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on while the test looks; in a process group of its own, like a foreground job."""
        process = subprocess.Popen(
            [LLAMALIFT, *words], env=self._environment(), cwd=self.folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.started.append(process)
        return process

    def run_id(self) -> str:
        """The id of the one run there is."""
        (line,) = self.json("ls")
        return str(line["run_id"])

    def wait_for_step(self, step: int, *, seconds: float = 300) -> dict[str, Any]:
        """Wait until the run has trained so far; gives the status that said so."""
        return wait_until(lambda: self._at_step(step), f"step {step}", seconds=seconds)

    def _at_step(self, step: int) -> dict[str, Any] | None:
        if not self.json("ls"):
            return None
        status: dict[str, Any] = self.json("status", self.run_id())
        progress = (status["agent"] or {}).get("progress") or {}
        return status if (progress.get("step") or 0) >= step else None

    def close(self) -> None:
        """End what is still running."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def processes(self) -> list[str]:
        """Command lines of every living process that names this state folder."""
        return [line for line in _command_lines() if str(self.state) in line]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LLAMALIFT_STATE_DIR": str(self.state), "COLUMNS": "100", **self.environment}


def _command_lines() -> list[str]:
    listed = subprocess.run(["ps", "-eo", "command", "-ww"], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def wait_until(look: Callable[[], _T | None], what: str, *, seconds: float) -> _T:
    """The first thing that `look` gives; fails when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")
