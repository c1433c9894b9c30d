"""Trains one epoch in each way of laying rows into batches, over and over, and tells what each took.

Run by the training environment's Python: `python -m tests.fakes.throughput_worker FOLDER ROUNDS MODE...`; FOLDER has
the base model and `data.json`. Each line of its output is one training, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from templates.training import setup
from templates.training.making import load_data, make_trainer

if TYPE_CHECKING:
    from collections.abc import Callable

# The recipe's micro batch.
MICRO = 8


class Clock(TrainerCallback):  # type: ignore[misc]  # the library has no types
    """Seconds of the process and of the day from the beginning of the first step to the end of the last."""

    def __init__(self) -> None:
        """Not started."""
        self._began: tuple[float, float] | None = None
        self.cpu_seconds = self.seconds = 0.0

    def on_step_begin(self, *_args: object, **_kwargs: object) -> None:
        """Start with the first step."""
        self._began = self._began or (time.process_time(), time.monotonic())

    def on_step_end(self, *_args: object, **_kwargs: object) -> None:
        """Stop for now."""
        assert self._began is not None
        cpu, wall = self._began
        self.cpu_seconds, self.seconds = time.process_time() - cpu, time.monotonic() - wall


class Counted:
    """A collator that counts the slots of its batches."""

    def __init__(self, collate: Callable[[list[Any]], dict[str, Any]]) -> None:
        """Count for `collate`."""
        self._collate = collate
        self.slots = 0

    def __call__(self, features: list[Any]) -> dict[str, Any]:
        """Make a batch."""
        batch = self._collate(features)
        self.slots += batch["input_ids"].numel()
        return batch


def train(folder: Path, mode: str, data: str, longest: int) -> dict[str, object]:
    """Train one epoch by the trainer's own parts; give what it took."""
    words = f"--model_name_or_path {folder / 'base'} --data_path {folder / data} --output_dir {folder / mode}/saves "
    words += f"--num_train_epochs 1 --model_max_length {longest} --per_device_train_batch_size {MICRO} "
    words += f"--learning_rate 1e-4 --logging_steps 100000 --packing {mode} --use_cpu True --save_strategy no"
    run = setup.prepare(words.split())
    rows = load_data(run)
    run = setup.fit_to_packs(run, rows.counts.rows, rows.counts.packs)
    trainer, _ = make_trainer(run, rows, {}, keep=1)
    clock, counted = Clock(), Counted(trainer.data_collator)
    trainer.data_collator = counted
    trainer.add_callback(clock)
    trainer.train()
    return {
        "mode": mode,
        "tokens": int(trainer.tokens),
        "slots": counted.slots,
        "steps": trainer.state.global_step,
        "cpu_seconds": clock.cpu_seconds,
        "seconds": clock.seconds,
    }


def main(argv: list[str]) -> None:
    """Warm up, then train every mode in turn, so that a busy minute of the computer meets all of them."""
    folder, rounds, longest, modes = Path(argv[0]), int(argv[1]), int(argv[2]), argv[3:]
    train(folder, "none", "few.json", longest)
    for _ in range(rounds):
        for mode in modes:
            sys.stdout.write(f"result {json.dumps(train(folder, mode, 'data.json', longest))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
