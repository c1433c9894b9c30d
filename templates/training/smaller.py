"""Fewer rows in memory at once, for a GPU that ran full: the same steps, cut into more parts. Pure.

Of a step's rows each process takes `per_device_train_batch_size` at a time, `gradient_accumulation_steps` times. The
Trainer deals the rows of its (seeded) order out batch by batch, so a step has the same rows however they are cut, and
the loss is the mean over the step's tokens, whatever the parts: only rounding differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# The Trainer's own defaults.
_MICRO, _ACCUMULATION = ("per_device_train_batch_size", 8), ("gradient_accumulation_steps", 1)


def parts(micro_batch: int, halvings: int) -> tuple[int, int]:
    """Cut a micro batch: the rows at once, and how many such parts it has now.

    The largest divisor that is at most the `halvings`-th half; 1 at the end, so that the rows of a step stay the same.
    """
    most = max(1, micro_batch >> halvings)
    smaller = next(rows for rows in range(most, 0, -1) if micro_batch % rows == 0)
    return smaller, micro_batch // smaller


def shrink(argv: Sequence[str], halvings: int) -> tuple[list[str], str | None]:
    """Give the command line with fewer rows at once, and a note; unchanged when there is nothing to halve."""
    words = list(argv)
    micro, accumulation = _value(words, *_MICRO), _value(words, *_ACCUMULATION)
    smaller, pieces = parts(micro, halvings)
    if pieces == 1:
        return words, None
    _set(words, _MICRO[0], smaller)
    _set(words, _ACCUMULATION[0], accumulation * pieces)
    note = f"the GPU ran full: {smaller} rows at once instead of {micro}, {pieces} times as often; the same steps"
    return words, note


def shrink_deepspeed(config: dict[str, Any]) -> None:
    """Let the flags decide where a configuration has figures of its own."""
    for name in ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps"):
        if name in config:
            config[name] = "auto"


def _value(words: list[str], name: str, default: int) -> int:
    return int(words[words.index(f"--{name}") + 1]) if f"--{name}" in words else default


def _set(words: list[str], name: str, value: int) -> None:
    if f"--{name}" in words:
        words[words.index(f"--{name}") + 1] = str(value)
    else:
        words += [f"--{name}", str(value)]
