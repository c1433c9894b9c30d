"""Random schedules of up, status, down, sweep, evictions, power cuts and scripted faults on the cloud half of runs.

Every schedule ends with a `down` on a cloud in which nothing goes wrong any more; then nothing may be left, every
failure must have been one of our errors with a next command, and journal and cloud must agree.
Last line: {"schedules": n, "leaks": n, "unexplained": n, "inconsistent": n, "doubled": n, ...}; all but the first 0.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fakes.troubled_runs import Stand, Tally, TroubledRun


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few schedules, within a minute")
    parser.add_argument("--schedules", type=int, default=3000, help="how many")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no more after so long")
    parser.add_argument("--seed", type=int, default=1, help="which")
    parser.add_argument("--verbose", action="store_true", help="tell every schedule")
    arguments = parser.parse_args()
    number = 12 if arguments.quick else arguments.schedules
    began = time.monotonic()
    # In memory where that can be: the journal waits for the disk after each line.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="random-faults-", dir=memory if memory.is_dir() else None) as folder:
        until = began + arguments.minutes * 60
        tally = Tally(strict=False, verbose=arguments.verbose, until=until)
        try:
            try_schedules(Path(folder), number, tally, seed_number=arguments.seed)
        finally:
            # Hours of work are told also when the last schedule is interrupted.
            show(tally, time.monotonic() - began)


def show(tally: Tally, seconds: float) -> None:
    """Print what was found, and the figures on the last line."""
    for found in tally.found:
        print(found)
    print(
        json.dumps(
            {
                "schedules": tally.schedules,
                "leaks": tally.leaks,
                "unexplained": tally.unexplained,
                "inconsistent": tally.inconsistent,
                "doubled": tally.doubled,
                "untroubled": tally.untroubled,
                "struck": tally.struck,
                "commands": tally.commands,
                "failed_share": round(tally.failed_share, 2),
                "failed": dict(tally.failed.most_common()),
                "seconds": round(seconds),
            }
        )
    )


def try_schedules(folder: Path, number: int, tally: Tally, *, seed_number: int) -> None:
    """Try so many schedules, for one seed the same ones each time; strict ends with the shortest that shows a fault."""
    stand = Stand(folder)
    machine = type("Troubled", (TroubledRun,), {"stand": stand, "tally": tally})
    chosen = settings(
        max_examples=number, stateful_step_count=3, deadline=None, database=None, print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if tally.strict else (Phase.generate,),
    )  # fmt: skip
    try:
        run_state_machine_as_test(seed(seed_number)(machine), settings=chosen)
    finally:
        stand.close()


if __name__ == "__main__":
    main()
