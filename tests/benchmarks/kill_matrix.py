"""Kills the client right before and right after every journal write and every HTTP request of a full run.

The points are what an undisturbed run passes; none is listed by hand. After each kill another client ends the run, in
one pass with `resume`, in another with `adopt` and `down` after the journal was lost, too. Then the rehearsal cloud
tells what it saw: machines made or started twice, and whatever is left. Training is real: two steps of the tiny LLaMA.
Last line: {"points": n, "leaks": n, "doubled": n, "unfinished": n, ...}; the last three should be 0.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.killed_runs import ENDINGS, Ending, Fatal, KilledRun, Verdict, cheapest

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE = 2
_SHOWN = 6
# A sample: one run whose clients die one after the other, the last in the middle of the deletion; and two runs that are
# torn down instead, one of them by clients that die, too.
CHAIN = (
    ("--kill-nth", "45"),
    ("--kill-nth", "108"),
    ("--kill-nth", "72"),
    ("--kill", "before DELETE /subscriptions/ID/resourcegroups/llamalift-tiny-cpu-RUN #1"),
)
TORN_DOWN = (("--kill-nth", "57"), ("--kill-nth", "101"))
THEN = ("--kill-nth", "30")


@dataclass(frozen=True, slots=True)
class Job:
    """One run: how it ends, where its clients are killed, and where those that end it."""

    ending: Ending
    fatal: tuple[Fatal, ...]
    then: tuple[Fatal, ...] = ()

    def on(self, run: KilledRun) -> Verdict:
        """Do it."""
        return run.killed_at(self.fatal, self.ending, self.then)


@dataclass(frozen=True, slots=True)
class Chain:
    """One run in which one client after the other dies, each at the first of these points that none died at."""

    points: Sequence[str]

    def on(self, run: KilledRun) -> Verdict:
        """Do it."""
        return run.killed_at_each(self.points)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample within about a minute")
    parser.add_argument("--every", type=int, default=1, help="only each so manieth point")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument(
        "--chains", type=int, default=0, help="every point, but in so many runs, one client after another"
    )
    parser.add_argument("--pass", dest="passes", choices=ENDINGS, action="append", help="only this pass")
    arguments = parser.parse_args()
    passes = tuple(arguments.passes or ENDINGS)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-matrix-") as folder:
        os.environ.update(cheapest(environment_cache(), Path(folder) / "byte-code"))
        room = Room(Path(folder))
        of = 0
        jobs: Sequence[Job | Chain]
        if arguments.quick:
            jobs = sample()
        elif arguments.chains:
            points = room.points()
            of, passes = len(points), ("resume",)
            jobs = [Chain(points[number :: arguments.chains]) for number in range(arguments.chains)]
        else:
            points = room.points()
            of = len(points) * len(ENDINGS)
            chosen = points[arguments.first :: arguments.every]
            jobs = [Job(ending, (("--kill", point),)) for ending in passes for point in chosen]
        verdicts = room.run(jobs)
    figures = summed(verdicts) | ({"of": of} if of else {})
    print(json.dumps({**figures, "passes": list(passes), "seconds": round(time.monotonic() - began)}))


def sample() -> list[Job]:
    """What `--quick` and the tests run."""
    first, second = TORN_DOWN
    return [Job("resume", CHAIN), Job("down", (first,)), Job("down", (second,), then=(THEN,))]


def summed(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """The figures of all runs together."""
    return {
        "points": sum(len(verdict.points) for verdict in verdicts),
        "different": len({point for verdict in verdicts for point in verdict.points}),
        "leaks": sum(len(verdict.leaks) for verdict in verdicts),
        "doubled": sum(len(verdict.doubled) for verdict in verdicts),
        "unfinished": sum(bool(verdict.unfinished) for verdict in verdicts),
    }


class Room:
    """Where the runs are made, each in a folder of its own, all with one training environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def points(self) -> list[str]:
        """Every point of an undisturbed run."""
        points = KilledRun(self._folder / "undisturbed").passed()
        print(f"{len(points)} points in an undisturbed run")
        return points

    def run(self, jobs: Sequence[Job | Chain]) -> list[Verdict]:
        """Do the jobs, two at a time."""
        verdicts = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            runs = [KilledRun(self._folder / f"run-{number}") for number in range(len(jobs))]
            try:
                for done in as_completed([pool.submit(job.on, run) for job, run in zip(jobs, runs, strict=True)]):
                    verdict = done.result()
                    verdicts.append(verdict)
                    show(len(verdicts), len(jobs), verdict)
            except BaseException:
                # Told at once, not when hundreds of others are done.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return verdicts


def show(number: int, of: int, verdict: Verdict) -> None:
    """One run in one line, and what was wrong with it."""
    mark = "ok " if verdict.is_good else "BAD"
    print(f"{number:>4} of {of}  {mark} {verdict.seconds:6.1f} s  {_where(verdict.points)}", flush=True)
    for words in (*verdict.unfinished, *verdict.leaks, *verdict.doubled):
        print(f"          {words}", flush=True)


def _where(points: Sequence[str]) -> str:
    if len(points) <= _SHOWN:
        return "; ".join(points) or "not reached"
    return f"{len(points)} clients, the last {points[-1]}"


def environment_cache() -> Path:
    """Where a ready training environment is: LLAMALIFT_ENVIRONMENT_CACHE, or the one that the tests made."""
    given = os.environ.get("LLAMALIFT_ENVIRONMENT_CACHE")
    cache = Path(given) if given else Path(__file__).resolve().parents[2] / ".work" / "env"
    if not any(cache.glob("*/.complete")):
        sys.exit(f"no training environment in {cache}: make one with `make test`, or set LLAMALIFT_ENVIRONMENT_CACHE")
    return cache


if __name__ == "__main__":
    main()
