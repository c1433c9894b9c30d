"""One run whose spot machine is taken away again and again, with 30 s of notice and without, and that ends right.

The client is one `llamalift up`; cloud, machine and Scheduled Events are the rehearsal's, training is real (two
processes, ZeRO-2, the tiny LLaMA). A third kind of eviction is as at 7B and on a P30 disk: for the machine, a save
takes 472 s, so that it rightly declines to save within its notice. Beside it the same run is left alone: both must end
with the same weights, bit for bit.
Last line: {"evictions": n, "max_lost_steps_with_notice": n, "wrong_endings": n, ...}.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from tests.benchmarks.kill_matrix import environment_cache
from tests.fakes.evicted_runs import EvictedRun, Kind, Loss

# After so many steps since the last eviction the next one comes, drawn by chance.
_LONGEST_LIFE_STEPS = 6


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one with notice and one without")
    parser.add_argument("--each", type=int, default=20, help="so many with notice, and as many without")
    parser.add_argument("--declined", type=int, default=3, help="so many whose notice is too short to save")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    each, declined = (1, 0) if arguments.quick else (arguments.each, arguments.declined)
    chance = random.Random(arguments.seed)  # noqa: S311 - an order, no secret
    kinds: list[Kind] = [*["notice"] * each, *["no notice"] * each, *["declined"] * declined]  # type: ignore[list-item]
    chance.shuffle(kinds)
    lives = [chance.randint(1, _LONGEST_LIFE_STEPS) for _ in kinds]
    # A notice lasts some ten steps, in which training goes on.
    steps = sum(lives) + 14 * len(kinds) + 20
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="eviction-drill-") as folder:
        environment = {"LLAMALIFT_ENVIRONMENT_CACHE": str(environment_cache())}
        calm = EvictedRun(Path(folder) / "calm", environment, steps)
        tried = EvictedRun(Path(folder) / "tried", environment, steps)
        try:
            wrong, losses = drill(calm, tried, kinds, lives)
        finally:
            tried.close()
            calm.close()
    figures = summed(losses, wrong)
    print(json.dumps({**figures, "steps": steps, "seconds": round(time.monotonic() - began)}))


def drill(calm: EvictedRun, tried: EvictedRun, kinds: list[Kind], lives: list[int]) -> tuple[list[str], list[Loss]]:
    """Play the evictions, then compare with the run that is left alone; gives what is wrong, and what was lost."""
    losses = []
    tried.start()
    for number, (kind, life) in enumerate(zip(kinds, lives, strict=True), 1):
        losses.append(tried.evict(kind, life))
        show(number, len(kinds), losses[-1])
    wrong = tried.finish()
    calm.start()
    wrong += calm.finish()
    if not wrong and tried.weights != calm.weights:
        wrong.append("the weights are not those of the run that was left alone")
    noted = [one for one in tried.evictions if one.back_at is not None]
    if len(noted) != len(kinds):
        wrong.append(f"the journal tells of {len(noted)} evictions, of: {len(kinds)}")
    for words in wrong:
        print(f"WRONG: {words}", flush=True)
    for one in tried.evictions:
        print(f"  {one.words}")
    return wrong, losses


def show(number: int, of: int, loss: Loss) -> None:
    """One eviction in one line."""
    mark = "ok " if loss.is_kept else "BAD"
    print(
        f"{number:>3} of {of}  {mark} {loss.kind:<9} {loss.what:<7} at step {loss.step:>4}: {loss.lost_steps} lost, "
        f"at most {loss.promised_steps} promised, back after {loss.seconds:.1f} s",
        flush=True,
    )


def summed(losses: list[Loss], wrong: list[str]) -> dict[str, object]:
    """The figures of the drill."""

    def most(kind: Kind) -> int:
        return max((loss.lost_steps for loss in losses if loss.kind == kind), default=0)

    return {
        "evictions": len(losses),
        "max_lost_steps_with_notice": most("notice"),
        "max_lost_steps_without_notice": most("no notice"),
        "max_lost_steps_declined": most("declined"),
        "promised": max((loss.promised_steps for loss in losses), default=0),
        "declined": sum(loss.what == "decline" for loss in losses),
        "broken_promises": sum(not loss.is_kept for loss in losses),
        "wrong_endings": int(bool(wrong)),
    }


if __name__ == "__main__":
    main()
