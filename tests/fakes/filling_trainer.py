"""The real trainer on a disk that somebody else fills: started by torchrun in its place, with two ranks.

`FILL_LATE` and `FILL_EARLY` are JSON objects from steps to the bytes that stay free: late after the trainer decided
to save (its save runs into the end of the disk), early before it (it can see that there is no room).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import TrainerCallback, trainer

from templates.agent.manifest import newest_complete
from templates.training import train

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

_LATE, _EARLY = json.loads(os.environ["FILL_LATE"]), json.loads(os.environ["FILL_EARLY"])
_REPORT, _BALLAST = Path(os.environ["FILL_REPORT"]), Path("ballast")


class Filling(TrainerCallback):  # type: ignore[misc]  # transformers is not there where types are checked
    """Fills the disk, and after each step writes down what is there."""

    def on_step_end(self, _args: TrainingArguments, state: TrainerState, *_: object, **__: object) -> None:
        """Before the decision."""
        if state.is_world_process_zero:
            _fill(_EARLY.get(str(state.global_step)))

    def on_log(self, _args: TrainingArguments, state: TrainerState, *_: object, **__: object) -> None:
        """After the decision, before the save."""
        if state.is_world_process_zero:
            _fill(_LATE.get(str(state.global_step)))

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: object
    ) -> None:
        """After the save."""
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir)
        found = newest_complete(folder)
        line = {
            "step": state.global_step,
            "names": sorted(path.name for path in folder.iterdir() if path.is_dir()),
            "newest": found.name if found else None,
        }
        with _REPORT.open("a") as file:
            file.write(json.dumps(line) + "\n")
        _BALLAST.unlink(missing_ok=True)


def _fill(free_bytes: int | None) -> None:
    if free_bytes is None:
        return
    with _BALLAST.open("wb") as file:
        # The file's own extents take a block or two: less and less is asked for until it fits.
        while (size := shutil.disk_usage(".").free - free_bytes) > 0:
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, size)
                return
            free_bytes += 4096


if __name__ == "__main__":
    trainer.DEFAULT_CALLBACKS.append(Filling)
    train.leave(train.main(sys.argv[1:]))
