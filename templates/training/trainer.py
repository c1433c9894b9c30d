"""Hugging Face's Trainer, with checkpoints that are whole or not there, and one shared decision at each step's end."""

from __future__ import annotations

import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from transformers import TrainerCallback

from templates.training import gauges
from templates.training.saving import SavingTrainer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import TrainerControl, TrainerState, TrainingArguments

    from templates.training.save_clock import SaveClock


class LiftTrainer(SavingTrainer):
    """The Trainer; its counters are what `StepEnd` and the trackers go by."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take what `SavingTrainer` takes."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # they are handed on as they came
        self.gauges = gauges.Gauges(self, self.metrics.run_folder)
        self.add_callback(self.gauges)
        # A sum on the device, so that no step waits for a figure.
        self.bad_losses = torch.zeros((), dtype=torch.int64, device=self.args.device)

    def training_step(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], *args: object, **kwargs: object
    ) -> torch.Tensor:
        """Train on one micro batch and count what it held."""
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.gauges.count(inputs)
        self.bad_losses += (~torch.isfinite(loss)).sum()
        return loss

    def get_batch_samples(self, *args: object, **kwargs: object) -> tuple[list[Any], Any]:
        """Take a step's rows, and measure how long they kept the training waiting."""
        began = time.monotonic()
        taken = super().get_batch_samples(*args, **kwargs)
        self.gauges.waited_seconds += time.monotonic() - began
        return taken

    def log(self, logs: dict[str, float], *args: object, **kwargs: object) -> None:
        """Log a step with what was measured beside it: one source for every tracker."""
        super().log({**logs, **self.gauges.figures()} if "loss" in logs else logs, *args, **kwargs)


class StepEnd(TrainerCallback):
    """After each step all ranks agree, in one small all-reduce, whether to save, to leave, or to give up.

    Rank 0 alone decides on saving, since its clock is its own; any rank may have been asked to leave or may have seen
    a loss that is not finite.
    """

    def __init__(
        self,
        trainer: LiftTrainer,
        make_clock: Callable[[int, int], SaveClock | None],
        may_save: Callable[[], bool],
        keep_times: Callable[[float, float], None],
    ) -> None:
        """Save as a clock says, if there is room.

        Args:
            trainer: Whose steps end.
            make_clock: Gives the clock for (total steps, step that the run starts from); None saves only when asked to
                leave.
            may_save: Says whether there is room for a save; asked on rank 0 only.
            keep_times: Told, after each save and on rank 0 only, what a step and a save take, in seconds.
        """
        self._trainer = trainer
        self._make_clock = make_clock
        self._clock: SaveClock | None = None
        self._may_save = may_save
        self._keep_times = keep_times
        self._asked = False
        self.left = False
        self.diverged = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self._asked = True

    def on_train_begin(self, _args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """Start the clock, now that the number of steps is known."""
        self._clock = self._make_clock(state.max_steps, state.global_step)
        if self._clock:
            self._clock.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: object
    ) -> TrainerControl:
        """Decide for the step that ended."""
        if self._clock:
            self._clock.step_done()
        due = state.is_world_process_zero and self._clock is not None and self._clock.is_due(state.global_step)
        leave, save, bad = self._agree(args, self._asked, due, self._trainer.bad_losses)
        if bad:
            self._give_up(state, control)
            return control
        if leave or save:
            control.should_save = self._agree_on_room(args, state)
        if leave and state.global_step < state.max_steps:
            self.left = control.should_training_stop = True
        return control

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: object
    ) -> TrainerControl:
        """Remember what the save took, or that there was none.

        Who was asked to leave meanwhile leaves now, not a step and a save later.
        """
        if self._clock and self._trainer.last_save[0] != state.global_step:
            self._clock.refused(state.global_step)
        elif self._clock:
            self._clock.saved(*self._trainer.last_save)
            if state.is_world_process_zero:
                self._keep_times(self._clock.step_seconds, self._clock.save_seconds)
        (leave,) = self._agree(args, self._asked)
        if leave and state.global_step < state.max_steps:
            self.left = control.should_training_stop = True
        return control

    def _agree_on_room(self, args: TrainingArguments, state: TrainerState) -> bool:
        refused = state.is_world_process_zero and not self._may_save()
        (refused,) = self._agree(args, refused)
        if refused and self._clock:
            self._clock.refused(state.global_step)
        return not refused

    def _give_up(self, state: TrainerState, control: TrainerControl) -> None:
        self.diverged = control.should_training_stop = True
        control.should_log = True
        text = f"the loss is not finite at step {state.global_step}: no checkpoint is saved from here on"
        self._trainer.metrics.problem("nan", text)

    @staticmethod
    def _agree(args: TrainingArguments, *words: bool | torch.Tensor) -> list[bool]:
        """Give each word's truth on any rank."""
        flags = torch.stack([torch.as_tensor(word, device=args.device).to(torch.int32) for word in words])
        if dist.is_initialized():
            dist.all_reduce(flags, op=dist.ReduceOp.MAX)
        return [bool(flag) for flag in flags.tolist()]


class Discard(TrainerCallback):
    """Removes a converted checkpoint when every rank has read it, which after the first step is certain."""

    def __init__(self, trainer: LiftTrainer, folder: Path) -> None:
        """Remove `folder`, which `trainer` goes on from."""
        self._trainer = trainer
        self._folder = folder

    def on_step_end(self, _args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """Remove it."""
        if state.is_world_process_zero and self._folder.exists():
            shutil.rmtree(self._folder)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """Remove it where no step was left to do: the final model needs the room."""
        self._trainer.ranks.barrier()
        self.on_step_end(args, state)


class Forget(TrainerCallback):
    """Removes this machine's copy of a checkpoint that another one has, when every rank has read it."""

    def __init__(self, trainer: LiftTrainer, folder: Path) -> None:
        """Remove `folder`, which `trainer` goes on from."""
        self._trainer = trainer
        self._folder = folder

    def on_step_end(self, *_args: object, **_kwargs: object) -> None:
        """Remove it."""
        if self._trainer.ranks.is_leader and self._folder.exists():
            shutil.rmtree(self._folder)


class Report(TrainerCallback):
    """Tells metrics.jsonl of each logged step, as every other tracker hears of it."""

    def __init__(self, trainer: LiftTrainer) -> None:
        """Report for `trainer`."""
        self._trainer = trainer

    def on_log(
        self,
        _args: TrainingArguments,
        state: TrainerState,
        _control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_kwargs: object,
    ) -> None:
        """Write a step event; summaries at the end of the training have no loss of their own."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        names = ("loss", "learning_rate", "grad_norm", "epoch", *gauges.NAMES)
        figures = {name: logs.get(name) for name in names}
        self._trainer.metrics.event("step", step=state.global_step, total_steps=state.max_steps, **figures)
