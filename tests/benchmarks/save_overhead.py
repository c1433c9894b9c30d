"""What saving and losses cost a run: our shrinking interval against the recipe that relaunches itself again and again.

Two parts. Simulated: the published 7B recipe (1,290 steps, 94 GB a save; step and bytes are what `llamalift plan` says)
on four disks, without evictions and with 10 and 20 % an hour, over many seeded runs with the schedule that the trainer
uses; a save takes its bytes at the disk's speed and what a real one takes beside them, measured here. Real: two
DeepSpeed ranks train the tiny LLaMA, killed once with SIGKILL, our way and with `relaunch: true`; the steps that
were trained again are counted in metrics.jsonl.
Last line: {"recomputed_steps_ours": n, "recomputed_steps_relaunch": n, "saving_share": x, ...}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.plan.make import make_plan
from runs.spec.load import load_run_file
from runs.spec.recipes import write_recipe
from templates.training.save_schedule import ShrinkSchedule, ladder
from tests.fakes.lossy_runs import Relaunching, Shrinking, Taken, World, play
from tests.fakes.training_run import TrainingRun, children, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runs.plan.plan import Plan

_RATES = (0.0, 0.1, 0.2)
# From an eviction to the next step beside reading the checkpoint: another machine boots, processes start. Assumed.
_NEW_MACHINE_SECONDS, _LAUNCH_SECONDS = 600.0, 60.0


@dataclass(frozen=True, slots=True)
class Storage:
    """Where a checkpoint is written, and where it must be to outlive the machine."""

    name: str
    mb_per_second: int
    drains_to_mb_per_second: int = 0


# Azure's figures for Premium SSD; NVMe is an assumption on the low side, for two of the machine's four drives together.
_DISKS = (
    Storage("P30", 200),
    Storage("Premium v2 as it comes", 125),
    Storage("Premium v2 at its fastest", 1200),
    Storage("local NVMe, drained to P30", 2000, 200),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: means over its runs."""

    disk: str
    evictions_per_hour: float
    way: str
    save_seconds: float
    saves: float
    recomputed_steps: float
    saving_hours: float
    saving_share: float
    lost_hours: float
    hours: float


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer simulated runs, and only our way is really run")
    quick = parser.parse_args().quick
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="save-overhead-") as folder:
        ours = really_ours(Path(folder) / "ours")
        fixed, real = measured_save_seconds(ours), {"ours": repeated_steps(ours)}
        if not quick:
            real["relaunch: true"] = repeated_steps(really_relaunched(Path(folder) / "relaunch"))
        plan = recipe_plan(Path(folder) / "recipe")
    rows = list(simulated(plan, fixed, runs=200 if quick else 2000))
    print_table(plan, fixed, rows)
    found = {(one.disk, one.evictions_per_hour, one.way): one for one in rows}
    calm, spot = (found["P30", rate, "ours"] for rate in (0.0, 0.1))
    by_hand = found["P30", 0.0, "recipe by hand"]
    print(f"really trained again after one kill, of {TINY_STEPS} steps: {real}")
    print(
        json.dumps(
            {
                "recomputed_steps_ours": round(calm.recomputed_steps),
                "recomputed_steps_relaunch": round(by_hand.recomputed_steps),
                "saving_share": round(calm.saving_share, 4),
                "recomputed_steps_relaunch_true": round(found["P30", 0.0, "relaunch: true"].recomputed_steps),
                "with_10_percent_evictions": {
                    way: {
                        "recomputed_steps": round(one.recomputed_steps),
                        "saving_share": round(one.saving_share, 4),
                        "hours": round(one.hours, 2),
                    }
                    for (disk, rate, way), one in found.items()
                    if (disk, rate) == (spot.disk, spot.evictions_per_hour)
                },
                "really_recomputed_steps": real,
                "measured_save_seconds": round(fixed, 3),
                "step_seconds": round(plan.time.step_seconds, 1) if plan.time else None,
                "simulated_runs": 200 if quick else 2000,
                "seconds": round(time.monotonic() - began),
            }
        )
    )


def recipe_plan(folder: Path) -> Plan:
    """What `llamalift plan --offline` says of the published recipe."""
    return make_plan(load_run_file(write_recipe("wizardlm-7b", folder)))


def simulated(plan: Plan, fixed_seconds: float, *, runs: int) -> Iterator[Row]:
    """Play the recipe on every disk, at every rate, each way."""
    assert plan.time is not None
    assert plan.steps is not None
    for disk in _DISKS:
        moved = plan.need.checkpoint / (disk.mb_per_second * 1e6)
        drain = plan.need.checkpoint / (disk.drains_to_mb_per_second * 1e6) if disk.drains_to_mb_per_second else 0.0
        for rate in _RATES:
            world = World(
                total_steps=plan.steps,
                step=plan.time.step_seconds,
                save=fixed_seconds + moved,
                drain=drain,
                # Another machine reads what has outlived the first one.
                restart=_NEW_MACHINE_SECONDS + _LAUNCH_SECONDS + (drain or moved),
                relaunch=_LAUNCH_SECONDS + moved,
                between_losses=3600 / rate if rate else None,
            )
            for name, way in ways(world):
                yield row(disk.name, rate, name, world, [play(way, world, seed) for seed in range(runs if rate else 1)])


def ways(world: World) -> Iterator[tuple[str, Shrinking | Relaunching]]:
    """Give each way with its name; the share alone is ours without the eviction bound."""
    share = ShrinkSchedule(800, expected_save_seconds=world.save)
    yield "ours", Shrinking(replace(share, seconds_between_losses=world.between_losses), world)
    if world.between_losses is not None:
        yield "ours, share alone", Shrinking(share, world)
    yield "relaunch: true", Relaunching(share, world, skip=True)
    yield "recipe by hand", Relaunching(share, world, skip=False)


def row(disk: str, rate: float, way: str, world: World, taken: Sequence[Taken]) -> Row:
    """Give the means of some runs."""
    trained = statistics.fmean(one.trained for one in taken)
    seconds = statistics.fmean(one.seconds for one in taken)
    saves = statistics.fmean(one.saves for one in taken)
    saving = saves * world.save
    useful = world.total_steps * world.step
    return Row(
        disk, rate, way, world.save, saves, trained - world.total_steps, saving / 3600,
        saving / (trained * world.step + saving), max(0.0, seconds - useful - saving) / 3600, seconds / 3600,
    )  # fmt: skip


def print_table(plan: Plan, fixed_seconds: float, rows: Sequence[Row]) -> None:
    """Print what was simulated; hours lost are all but useful steps and complete saves."""
    assert plan.time is not None
    size = plan.need.checkpoint / 1e9
    print(f"{plan.steps:,} steps of {plan.time.step_seconds:.1f} s (the plan's estimate), {size:.1f} GB a save;")
    print(f"beside its bytes a real save took {fixed_seconds:.2f} s here; means of the simulated runs\n")
    head = f"{'disk':26} {'save':>6} {'evicted':>8}  {'way':18} {'saves':>6} {'again':>7} {'saving':>7} {'share':>7}"
    print(f"{head} {'lost':>7} {'in all':>7}")
    for one in rows:
        left = f"{one.disk:26} {one.save_seconds:4.0f} s {one.evictions_per_hour:6.0%}/h  {one.way:18} {one.saves:6.1f}"
        right = f"{one.recomputed_steps:7.0f} {one.saving_hours:5.2f} h {one.saving_share:7.1%} {one.lost_hours:5.2f} h"
        print(f"{left} {right} {one.hours:5.1f} h")
    print()


# Eight rows a step: 16 steps, in the recipe's shape. Saves of the tiny model are quick: the ladder alone decides.
TINY_STEPS, _KILLED_AT = 16, 8
_TINY = ShrinkSchedule(10, max_share=1.0)
_FLAGS = shlex.split(
    "--model_name_or_path huggyllama/llama-7b --data_path data.json --output_dir checkpoints --num_train_epochs 2 "
    "--model_max_length 128 --per_device_train_batch_size 4 --learning_rate 1e-3 --warmup_steps 2 --logging_steps 1 "
    "--lr_scheduler_type cosine --bf16 True --deepspeed configs/deepspeed_config.json "
    f"--llamalift_schedule '{_TINY.to_json()}'"
)


def really_ours(folder: Path) -> TrainingRun:
    """Train our way on two ranks, killed once."""
    run = TrainingRun.prepare(folder, training_python(), "zero2")
    killed(run, _FLAGS)
    finished(run, _FLAGS)
    return run


def really_relaunched(folder: Path) -> TrainingRun:
    """Train with `relaunch: true`: the steps of its job one after the other, the first one killed once."""
    run = TrainingRun.prepare(folder, training_python(), "zero2")
    first, *others = ([*_FLAGS, "--llamalift_relaunch", str(every)] for every in ladder(_TINY))
    killed(run, first)
    finished(run, first)
    for flags in others:
        finished(run, flags)
    return run


def killed(run: TrainingRun, flags: list[str]) -> None:
    """Start a training and kill its launcher and ranks when a step is logged."""
    process = run.start(flags)
    run.wait_for("step", process, count=_KILLED_AT)
    ranks = list(children(process.pid))
    process.kill()
    process.wait()
    wait_until_gone(ranks)


def finished(run: TrainingRun, flags: list[str]) -> None:
    """Train to the end."""
    code = run.train(flags)
    if code:
        sys.exit(f"training failed with exit code {code}:\n{run.log()[-2000:]}")


def repeated_steps(run: TrainingRun) -> int:
    """Give how many steps were trained again, counted once for each time too many."""
    steps = [event["step"] for event in run.events("step")]
    assert set(steps) == set(range(1, TINY_STEPS + 1)), steps
    assert run.marker("train") is not None
    return len(steps) - TINY_STEPS


def measured_save_seconds(run: TrainingRun) -> float:
    """Give what a save takes here beside its bytes: that of the tiny model, whose bytes hardly count."""
    saves: list[dict[str, Any]] = run.events("save")
    return statistics.median(float(save["seconds"]) for save in saves)


def training_python() -> Path:
    """Where a ready training environment is: LLAMALIFT_TEST_ENV_PYTHON, or the one that the tests made."""
    given = os.environ.get("LLAMALIFT_TEST_ENV_PYTHON")
    if given:
        return Path(given)
    root = Path(__file__).resolve().parents[2]
    lock = hashlib.sha256((root / "templates" / "environment" / "cpu.lock.txt").read_bytes()).hexdigest()
    made = root / ".work" / "env" / lock[:16]
    if not (made / ".complete").exists():
        sys.exit(f"no training environment of today's lock: make one with `make test`, missing: {made}")
    return made / "bin" / "python"


if __name__ == "__main__":
    main()
