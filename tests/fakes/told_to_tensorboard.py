"""Writes a loss of many steps as TensorBoard's own library writes it; runs in the training environment.

Usage: told_to_tensorboard.py FOLDER STEPS
"""

from __future__ import annotations

import math
import random
import sys
import time


def main(folder: str, steps: int) -> None:
    """Write all of it."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    chance, begun = random.Random(7), time.time() - steps  # noqa: S311 - noise, the same each time
    writer = EventFileWriter(folder)
    for step in range(1, steps + 1):
        loss = 0.62 + 1.5 * math.exp(-6 * step / steps) + chance.gauss(0, 0.05)
        value = summary_pb2.Summary.Value(tag="loss", simple_value=loss)
        summary = summary_pb2.Summary(value=[value])
        writer.add_event(event_pb2.Event(wall_time=begun + step, step=step, summary=summary))
    writer.flush()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
