"""Training on a GPU: real tokens a second, MFU and memory of each way; whether a killed run ends with the same bits.

Needs one NVIDIA GPU of 40 GB or more, and the training environment of a GPU machine (`LLAMALIFT_TEST_ENV_PYTHON`). The
real trainer trains a LLaMA of 1.3 billion parameters, or LLaMA-7B (random weights), under DeepSpeed, in a process of
its own for each way; rows have the lengths of instruction data, up to the recipe's 2,048 tokens, eight at a time. The
peer is the recipe's way: padded batches in fp16 under ZeRO-3, without fused kernels. Figures are means over the second
half of the steps; memory is the most that the driver told, beside what `plan` estimates. Then a model of a tenth of the
size is trained three times, once killed with SIGKILL in between; and rows that do not fit are trained fewer at once, as
the agent does it.
Last line: {"device", "model", "rows": [{"way", "tokens_per_second", "mfu", "ratio", "peak_gib", "plan_gib", ...}],
"resume": {"identical", ...}, "out_of_memory": {"exit_codes", "micro_batch"}, "seconds"}.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from templates.agent.watchers import Gpus
from templates.training import exit_codes
from tests.benchmarks.save_overhead import training_python
from tests.fakes.gpu_trainings import (
    MICRO,
    SHAPES,
    SMALL,
    Way,
    estimated_gib,
    flags,
    kill,
    measure,
    prepared,
    write_base,
    write_rows,
)
from tests.fakes.training_run import DEADLINE_SECONDS, TrainingRun

_ADAPTERS = {"r": 16, "alpha": 32}
WAYS = (
    Way("recipe", {"fp16": True, "use_liger_kernel": False}),
    Way("padded"),
    Way("group_by_length", {"packing": "group_by_length"}),
    Way("flat", {"packing": "flat"}),
    Way("bfd", {"packing": "bfd"}),
    Way("bfd_flex", {"packing": "bfd", "attention": "flex_attention"}),
    Way("no_checkpointing", {"gradient_checkpointing": False}),
    Way("no_liger", {"use_liger_kernel": False}),
    Way("zero2", {"deepspeed": "zero2"}),
    Way("offload", {"deepspeed": "zero3-offload"}),
    Way("lora", {"deepspeed": "zero2", "lora": _ADAPTERS}),
    Way("qlora", {"deepspeed": "zero2", "lora": {**_ADAPTERS, "quantize": "nf4"}}),
)
_QUICK = ("recipe", "group_by_length")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two ways, few steps")
    parser.add_argument("--model", choices=SHAPES, default="1.3b", help="of how many parameters")
    parser.add_argument("--ways", help="which, with commas between")
    parser.add_argument("--steps", type=int, help="optimizer steps of each way")
    parser.add_argument("--skip-checks", action="store_true", help="neither kill nor fill the GPU")
    asked = parser.parse_args()
    gpus, began = Gpus(), time.monotonic()
    gpus.look()
    if not gpus.seen:
        sys.exit("this benchmark needs an NVIDIA GPU, found: none")
    names = asked.ways.split(",") if asked.ways else _QUICK if asked.quick else [way.name for way in WAYS]
    gpu, steps, shape = gpus.seen[0], asked.steps or (20 if asked.quick else 60), SHAPES[asked.model]
    memory_gb = round((gpu["memory_total_bytes"] or 0) / 2**30)
    result: dict[str, Any] = {"device": gpu["name"], "model": asked.model, "steps": steps, "rows": []}
    with tempfile.TemporaryDirectory(prefix="gpu-training-") as name:
        folder, python = Path(name), training_python()
        tools = TrainingRun.prepare(folder / "tools", python, "zero3")
        base, data = write_base(folder / "base", tools, shape), write_rows(folder / "data.json", 4000)
        for way in (way for way in WAYS if way.name in names):
            row = measured(folder, (base, data), way, steps) | {"plan_gib": estimated_gib(way, shape, memory_gb)}
            result["rows"].append(row)
            print(json.dumps(row), flush=True)
        if not asked.quick and not asked.skip_checks:
            small = write_base(folder / "small", tools, SMALL)
            result["resume"] = resumed(folder, small, data)
            print(json.dumps(result["resume"]), flush=True)
            result["out_of_memory"] = filled(folder, base, data)
    print_table(result["rows"])
    print(json.dumps(result | {"seconds": round(time.monotonic() - began)}))


def measured(folder: Path, made: tuple[Path, Path], way: Way, steps: int) -> dict[str, Any]:
    """Train one way for so many steps; where it cannot train here, its error is in the row."""
    base, data = made
    run = prepared(folder / way.name, training_python(), way, data)
    try:
        return {"way": way.name} | measure(run, flags(base, way, 10 * steps), steps)
    except AssertionError as error:
        return {"way": way.name, "error": str(error)[-1500:]}


def resumed(folder: Path, base: Path, data: Path) -> dict[str, Any]:
    """Train three times side by side, once killed with SIGKILL after a save: how far apart do they end?

    Kernels that add up in no fixed order let two runs that nobody disturbs drift apart, too: the killed one may be as
    far from the first as the second is.
    """
    way, schedule = Way("small"), '{"first_interval": 10, "last_interval": 10, "max_share": 1.0}'
    runs = [prepared(folder / name, training_python(), way, data) for name in ("whole", "again", "killed")]
    words = [*flags(base, way, 30), "--logging_steps", "1", "--llamalift_schedule", schedule]
    *others, process = (run.start(words, processes=1) for run in runs)
    runs[-1].wait_for("save", process)
    kill(process)
    killed_at = len(runs[-1].events("step"))
    codes = [runs[-1].train(words, processes=1), *(other.wait(DEADLINE_SECONDS) for other in others)]
    whole, again, killed = runs
    return {
        "exit_codes": [*codes, killed.verify().returncode],
        "killed_after_step": killed_at,
        "went_on": [note for note in killed.notes() if note.startswith("going on")],
        "identical": whole.digest() == killed.digest(),
        "identical_undisturbed": whole.digest() == again.digest(),
        "largest_loss_difference": _apart(whole, killed),
        "largest_loss_difference_undisturbed": _apart(whole, again),
    }


def _apart(one: TrainingRun, other: TrainingRun) -> float:
    """Give the largest relative difference of two runs' losses at one step."""
    losses = [[float(str(point[1])) for point in run.curve()] for run in (one, other)]
    return max(float(abs(mine - theirs) / mine) for mine, theirs in zip(*losses, strict=True))


def filled(folder: Path, base: Path, data: Path) -> dict[str, Any]:
    """Train more rows at once than fit; then fewer, as the agent starts it again, until they fit."""
    way = Way("filled", {"per_device_train_batch_size": 32 * MICRO, "gradient_checkpointing": False})
    run = prepared(folder / way.name, training_python(), way, write_rows(data.with_name("long.json"), 600, words=900))
    words = [*flags(base, way, 2), "--save_strategy", "no", "--logging_steps", "1"]
    codes = list[int]()
    for halvings in (0, 4, 5, 6):
        process = run.start(words, processes=1, LLAMALIFT_HALVINGS=str(halvings))
        try:
            run.wait_for("step", process)
        except AssertionError:
            codes.append(process.wait())
            if codes[-1] != exit_codes.GPU_OUT_OF_MEMORY:
                break
            continue
        kill(process)
        return {"exit_codes": codes, "micro_batch": 32 * MICRO >> halvings}
    return {"exit_codes": codes, "error": run.log()[-1500:]}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print one row per way, and complete the rows with their ratio to the recipe's way."""
    peer = next((row["tokens_per_second"] for row in rows if row["way"] == "recipe" and "error" not in row), None)
    print(f"{'way':26} {'tokens/s':>9} {'MFU':>6} {'ratio':>6} {'peak GiB':>9} {'plan GiB':>9} {'watts':>6}")
    for row in rows:
        if "error" in row:
            print(f"{row['way']:26} could not train here")
            continue
        row["ratio"] = round(row["tokens_per_second"] / peer, 3) if peer else None
        print(
            f"{row['way']:26} {row['tokens_per_second']:9,} {row['mfu']:6.1%} {row['ratio'] or 0:6.2f} "
            f"{row['peak_gib']:9.1f} {row['plan_gib']:9.1f} {row['watts']:6.0f}"
        )


if __name__ == "__main__":
    main()
