"""Tells the trackers what run this is, once they have begun; and closes them before what they wrote is packed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback

from templates.training.tracking import run_facts

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import TrainerState, TrainingArguments

    from templates.training.trainer import LiftTrainer


class Linked(TrainerCallback):
    """To be added after the trackers' own callbacks, which the Trainer makes."""

    def __init__(self, trainer: LiftTrainer, run_folder: Path) -> None:
        """Link the trackers of `trainer` to the run in `run_folder`."""
        self._trainer = trainer
        self._run_folder = run_folder

    def on_train_begin(self, _args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """Add the run file's facts to their configuration."""
        if not state.is_world_process_zero:
            return
        facts = run_facts(self._run_folder)
        if (wandb := sys.modules.get("wandb")) is not None and wandb.run is not None:
            wandb.config.update({"llamalift": facts}, allow_val_change=True)
        for callback in self._trainer.callback_handler.callbacks:
            if isinstance(callback, TensorBoardCallback) and callback.tb_writer is not None:
                callback.tb_writer.add_text("llamalift", f"```json\n{json.dumps(facts, indent=1)}\n```")


def close_trackers() -> None:
    """Let an offline W&B write its last; TensorBoard has closed its file when the training ended.

    A W&B that is online sends its last when the process ends, where no other process waits for it.
    """
    if (wandb := sys.modules.get("wandb")) is not None and wandb.run is not None and wandb.run.offline:
        wandb.finish()
        # Else the agent finds its service as a process that the training left behind.
        wandb.teardown()
