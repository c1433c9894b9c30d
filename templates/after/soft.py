"""Runs a program whose failure must not cost a finished model: what follows training can be done again at home.

`python -m templates.after.soft --name NAME --marker FILE --tries N -- PROGRAM …` starts the program again when it
fails, and after the last try leaves the marker all the same, with the reason in it, and a note for the user. Asked to
leave (SIGTERM), it passes that on and leaves no marker. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from templates.training.checkpoints import write_durably
from templates.training.metrics import Metrics

_ASKED_TO_LEAVE = 128 + signal.SIGTERM
_LAST_LINES = 20


class Guard:
    """One program, started up to so many times."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._is_leaving = False
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        signal.signal(signal.SIGTERM, self._leave)

    def run(self, program: list[str], tries: int) -> str | None:
        """Run it until it succeeds; give why it did not, or None.

        Raises:
            SystemExit: It was asked to leave.
        """
        for _ in range(tries):
            code = self._once(program)
            if self._is_leaving:
                sys.exit(_ASKED_TO_LEAVE)
            if code == 0:
                return None
        return self._reason(code)

    def _once(self, program: list[str]) -> int:
        self._lines.clear()
        self._child = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if self._is_leaving:
            self._child.terminate()
        assert self._child.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._child.stdout:
            os.write(sys.stdout.fileno(), line)
            self._lines.append(line.decode(errors="replace").strip())
        return self._child.wait()

    def _reason(self, code: int) -> str:
        said = [line for line in self._lines if line]
        told = next((line for line in reversed(said) if line.startswith("error: ")), said[-1] if said else "")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{told.removeprefix('error: ')} ({how})"

    def _leave(self, *_: object) -> None:
        self._is_leaving = True
        if self._child is not None:
            self._child.terminate()


def main(argv: list[str]) -> int:
    """Run it; 0 unless it was asked to leave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="What it is called in the note.")
    parser.add_argument("--marker", required=True, help="The step's marker, relative to the run's folder.")
    parser.add_argument("--tries", type=int, default=1, help="How often it may be started.")
    parser.add_argument("program", nargs="+", help="The program and its words, after --.")
    asked = parser.parse_args(argv)
    run_dir = Path(os.environ.get("LLAMALIFT_RUN_DIR", ".")).resolve()
    reason = Guard().run(asked.program, asked.tries)
    if reason is not None:
        metrics = Metrics(run_dir / "metrics.jsonl")
        metrics.event("after_failed", name=asked.name, reason=reason)
        metrics.note(f"{asked.name} did not work out, the model is whole all the same: {reason}")
    marker = run_dir / asked.marker
    marker.parent.mkdir(exist_ok=True)
    write_durably(marker, json.dumps({"finished_at": time.time(), "failure": reason}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
