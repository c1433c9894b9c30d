"""Useful tokens a second of each way to lay rows into batches, against the recipe's padded batches.

The trainer's own parts train the rehearsal's LLaMA for one epoch in each mode, in one process and thread, without
DeepSpeed: the same rows, model and seed. Rows have log-normal lengths as instruction data has them (seed fixed); the
micro batch is the recipe's 8. Seconds are CPU seconds of the process, so that other programs disturb little; modes take
turns within each round. `fill` is the share of slots that hold tokens in the padded batches, `limit` = 1 / `fill` what
leaving out all padding could gain; a mode can come above it, since short rows also cost less attention for each token.
Last line: {"ratio": best mode against padded, "fill": share, "limit": 1 / fill, "modes": {...}, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.training.tiny_llama import write_tiny_llama
from tests.benchmarks.save_overhead import training_python

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODES = ("none", "group_by_length", "flat", "bfd", "bfd_split", "wrapped")
_QUICK_MODES = ("none", "group_by_length", "flat")
_REPOSITORY = Path(__file__).parents[2]
_SEED = 20230501
# Words of a row: their logarithm's mean and deviation, the spread of instruction data (mean 1.4 times the median). With
# the prompt a row of the tiny tokenizer has about 100 tokens on average, and the longest are cut at 512.
_LOG_MEAN, _LOG_DEVIATION, _ASKED = 3.3, 0.8, 0.25
_LONGEST = 512


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows, and three modes")
    parser.add_argument("--rows", type=int, help="rows to train on")
    parser.add_argument("--rounds", type=int, help="how often each mode trains them")
    asked = parser.parse_args()
    rows, modes = asked.rows or (320 if asked.quick else 2400), _QUICK_MODES if asked.quick else _MODES
    rounds = asked.rounds or 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        prepare(Path(folder), rows)
        results = measured(Path(folder), modes, rounds)
    print_table(results, modes)
    seconds = round(time.monotonic() - began)
    print(json.dumps(summary(results, modes) | {"rows": rows, "rounds": rounds, "seconds": seconds}))


def prepare(folder: Path, rows: int) -> None:
    """Write the base model and rows whose lengths are drawn."""
    write_tiny_llama(folder / "base")
    drawn = random.Random(_SEED)  # noqa: S311 - a fixed seed is the point
    source = json.loads((_REPOSITORY / "templates" / "data" / "instructions.json").read_text())
    words = [word for row in source for word in f"{row['instruction']} {row['output']}".split()]
    made = [_row(drawn, words) for _ in range(rows)]
    (folder / "data.json").write_text(json.dumps(made))
    (folder / "few.json").write_text(json.dumps(made[:16]))


def _row(drawn: random.Random, words: list[str]) -> dict[str, str]:
    count = max(2, round(drawn.lognormvariate(_LOG_MEAN, _LOG_DEVIATION)))
    start, asked = drawn.randrange(len(words)), max(1, round(_ASKED * count))
    text = (words + words)[start : start + count]
    return {"instruction": " ".join(text[:asked]), "output": " ".join(text[asked:])}


def measured(folder: Path, modes: Sequence[str], rounds: int) -> list[dict[str, Any]]:
    """Give one result for each training."""
    argv = [str(training_python()), "-m", "tests.fakes.throughput_worker", str(folder), str(rounds), str(_LONGEST)]
    environment = os.environ | {"PYTHONPATH": str(_REPOSITORY), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*argv, *modes], cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"the training failed: {done.stderr.decode(errors='replace')[-2000:]}")
    lines = done.stdout.decode().splitlines()
    return [json.loads(line.partition(" ")[2]) for line in lines if line.startswith("result ")]


def rate(results: list[dict[str, Any]], mode: str, seconds: str = "cpu_seconds") -> float:
    """Give a mode's tokens a second, the median of its rounds."""
    return statistics.median(float(one["tokens"]) / float(one[seconds]) for one in results if one["mode"] == mode)


def fill(results: list[dict[str, Any]], mode: str) -> float:
    """Give the share of a mode's slots that held tokens."""
    own = [one for one in results if one["mode"] == mode]
    return float(sum(one["tokens"] for one in own) / sum(one["slots"] for one in own))


def print_table(results: list[dict[str, Any]], modes: Sequence[str]) -> None:
    """Print one row per mode."""
    print(f"{'mode':16} {'slots filled':>12} {'tokens/CPU s':>12} {'tokens/s':>9} {'steps':>6} {'ratio':>6}")
    for mode in modes:
        steps = next(one["steps"] for one in results if one["mode"] == mode)
        print(
            f"{'padded' if mode == 'none' else mode:16} {fill(results, mode):12.1%} {rate(results, mode):12.0f} "
            f"{rate(results, mode, 'seconds'):9.0f} {steps:6} {rate(results, mode) / rate(results, 'none'):6.2f}"
        )


def summary(results: list[dict[str, Any]], modes: Sequence[str]) -> dict[str, Any]:
    """Give the figures of the last line."""
    padded = rate(results, "none")
    figures = {
        "padded" if mode == "none" else mode: {
            "fill": round(fill(results, mode), 4),
            "tokens_per_cpu_second": round(rate(results, mode)),
            "tokens_per_second": round(rate(results, mode, "seconds")),
            "ratio": round(rate(results, mode) / padded, 3),
        }
        for mode in modes
    }
    best = max(figures, key=lambda name: figures[name]["ratio"])
    filled = fill(results, "none")
    ratio, limit = figures[best]["ratio"], 1 / filled
    return {
        "ratio": ratio, "fill": round(filled, 4), "limit": round(limit, 3), "ratio_of_limit": round(ratio / limit, 3),
        "best": best, "modes": figures,
    }  # fmt: skip


if __name__ == "__main__":
    main()
