"""Kill at random: real DeepSpeed trainings under the real agent, killed at random moments, one run after the other.

Two processes, ZeRO-1, 2 and 3 in turn; killed is one rank, all ranks, the launcher, the holder, the agent with its
holder, or everything at once, while the run loads, trains, saves, prunes or gathers the final model. In each run
several kills follow each other, then it is left to its end. Right is a kill after which the next attempt begins at the
newest complete checkpoint, within the schedule's promise, with nobody left of the one before; and all of a run's kills
are wrong when its final weights are not bit for bit those of the undisturbed run, or its loss curve is another.
Last line: {"kills": n, "wrong_endings": 0, "max_lost_steps": n, "promised_lost_steps": n, "garbage_loads": 0,
"orphans": 0, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fakes.trainer_kills import DRAIN, PHASES, Kill, KilledTraining, Undisturbed, plan_kills

_STAGES = ("zero1", "zero2", "zero3")
_EPOCHS = 3


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one kill")
    parser.add_argument("--kills", type=int, default=100, help="how many at least")
    parser.add_argument("--in-a-run", type=int, default=8, help="how many in each run")
    parser.add_argument("--seed", type=int, default=1, help="which moments")
    parser.add_argument("--stages", nargs="+", choices=_STAGES, default=_STAGES, help="ZeRO stages, in turn")
    parser.add_argument("--two-speed", action="store_true", help="save to scratch, and kill in drains, too")
    parser.add_argument("--minutes", type=float, default=None, help="begin no run after so long")
    arguments = parser.parse_args()
    stages = ("zero2",) if arguments.quick else arguments.stages
    epochs = 1 if arguments.quick else _EPOCHS
    wanted, in_a_run = (1, 1) if arguments.quick else (arguments.kills, arguments.in_a_run)
    chance, began = random.Random(arguments.seed), time.monotonic()  # noqa: S311 - no secret
    kills: list[Kill] = []
    undisturbed: dict[str, Undisturbed] = {}
    runs = wrong_runs = wrong = 0
    with tempfile.TemporaryDirectory(prefix="trainer-kills-") as folder:
        while len(kills) < wanted and not (arguments.minutes and time.monotonic() - began > arguments.minutes * 60):
            stage = stages[runs % len(stages)]
            root = Path(folder)
            if stage not in undisturbed:
                undisturbed[stage] = Undisturbed.train(root / stage, _python(), stage, epochs)
                print(f"{stage}: undisturbed", flush=True)
            number = min(in_a_run, wanted - len(kills))
            training = KilledTraining.start(
                root / f"run-{runs}", _python(), stage, epochs, max_restarts=10 * number, two_speed=arguments.two_speed
            )
            training.tell = lambda kill: print(f"  {kill}", flush=True)
            made, differences = _kill_and_end(training, number, chance, undisturbed[stage])
            kills += made
            runs += 1
            wrong_runs += bool(differences)
            wrong += len(made) if differences else sum(bool(kill.wrong) for kill in made)
            print(f"run {runs}, {stage}: {'; '.join(differences) or 'the same weights and losses'}", flush=True)
    print(
        json.dumps(
            {
                "kills": len(kills),
                "wrong_endings": wrong,
                "max_lost_steps": max((kill.lost for kill in kills), default=0),
                "promised_lost_steps": max((kill.promised for kill in kills), default=0),
                "garbage_loads": sum("garbage" in words for kill in kills for words in kill.wrong),
                "orphans": sum(kill.orphans for kill in kills),
                "lost_steps": sum(kill.lost for kill in kills),
                "by_phase": dict(Counter(kill.phase for kill in kills)),
                "by_target": dict(Counter(kill.target for kill in kills)),
                "runs": runs,
                "wrong_runs": wrong_runs,
                "seconds": round(time.monotonic() - began),
            }
        )
    )


def _kill_and_end(
    training: KilledTraining, number: int, chance: random.Random, undisturbed: Undisturbed
) -> tuple[list[Kill], list[str]]:
    try:
        phases = PHASES if training.scratch is None else (*PHASES, DRAIN)
        for phase, target in plan_kills(number, chance, phases):
            if not training.kill(phase, target, chance):
                break
        differences = training.wrong_at_the_end(undisturbed)
        return training.kills, differences
    finally:
        training.run.agent.close()


def _python() -> Path:
    given = os.environ.get("LLAMALIFT_TEST_ENV_PYTHON")
    if given:
        return Path(given)
    made = sorted(Path(".work/env").absolute().glob("*/bin/python"))
    if not made:
        raise SystemExit("no training environment: run `make test` once, or set LLAMALIFT_TEST_ENV_PYTHON")
    return made[-1]


if __name__ == "__main__":
    main()
