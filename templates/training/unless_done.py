"""Starts a program of a stage unless the stage is done: a job that is handed over again begins with its first step.

`python -m templates.training.unless_done --stage NAME --marker FILE -- PROGRAM …` leaves the marker when the stage's
verified model is there, else it becomes the program. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from templates.training.checkpoints import write_durably
from templates.training.metrics import Metrics
from templates.training.stages import done_model


def main(argv: list[str]) -> int:
    """Leave the marker, or become the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True, help="The stage.")
    parser.add_argument("--marker", required=True, help="The step's marker, relative to the run's folder.")
    parser.add_argument("--number", type=int, default=1, help="Which stage it is, from 1.")
    parser.add_argument("--of", type=int, default=1, help="How many stages there are.")
    parser.add_argument("program", nargs="+", help="The program and its words, after --.")
    asked = parser.parse_args(argv)
    run_dir = Path(os.environ.get("LLAMALIFT_RUN_DIR", ".")).resolve()
    model = done_model(run_dir, asked.stage)
    if model is None:
        Metrics(run_dir / "metrics.jsonl").event("stage", name=asked.stage, number=asked.number, of=asked.of)
        if asked.of > 1:
            # Its events name it, and each tracker has a run for each stage.
            os.environ["LLAMALIFT_STAGE"] = asked.stage
        os.execvp(asked.program[0], asked.program)  # noqa: S606 - no shell is wanted
    marker = run_dir / asked.marker
    marker.parent.mkdir(exist_ok=True)
    write_durably(marker, json.dumps({"finished_at": time.time(), "stage": asked.stage, "model": str(model)}))
    print(f"{asked.stage} is done already: {model}", flush=True)  # noqa: T201 - the log is where the user looks
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
