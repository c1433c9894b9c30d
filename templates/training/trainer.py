"""Hugging Face's Trainer, with checkpoints that are whole or not there, and one shared decision at each step's end."""

from __future__ import annotations

import shutil
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from transformers import Trainer, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from templates.training import checkpoints, prune
from templates.training.errors import NoSpaceError, SaveBrokenError
from templates.training.save_guard import SaveGuard, guarded
from templates.training.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from transformers import TrainerControl, TrainerState, TrainingArguments

    from templates.training.batch import Batch
    from templates.training.metrics import Metrics
    from templates.training.ranks import Ranks
    from templates.training.save_clock import SaveClock


class LiftTrainer(Trainer):
    """The Trainer; its counters are what `StepEnd` and `Report` go by."""

    def __init__(
        self,
        *args: object,
        metrics: Metrics,
        ranks: Ranks,
        batch: Batch,
        facts: Mapping[str, Any],
        keep: int,
        **kwargs: object,
    ) -> None:
        """Save with `facts` in each manifest, keep `keep` complete checkpoints and tell `metrics`."""
        super().__init__(*args, **kwargs)
        self.metrics = metrics
        self.ranks = ranks
        self.keep = keep
        # The step that was saved last, and the seconds that it took.
        self.last_save: tuple[int, float] = (0, 0.0)
        self._batch = batch
        self._facts = facts
        self._folder: Path | None = None
        self._guard: SaveGuard | None = None
        self._all_written = False
        # Sums on the device, so that no step waits for a figure.
        self.tokens = torch.zeros((), dtype=torch.int64, device=self.args.device)
        self.bad_losses = torch.zeros((), dtype=torch.int64, device=self.args.device)

    def training_step(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], *args: object, **kwargs: object
    ) -> torch.Tensor:
        """Train on one micro batch and count what it held."""
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.tokens += inputs["attention_mask"].sum().to(self.tokens.device)
        self.bad_losses += (~torch.isfinite(loss)).sum()
        return loss

    def save_now(self) -> None:
        """Save a checkpoint outside of the schedule (all ranks take part)."""
        self._save_checkpoint(self.model_wrapped, None)

    def save_whole(self, folder: Path) -> None:
        """Gather the model and save it in `folder` (all ranks take part).

        Raises:
            NoSpaceError: Rank 0 could not write it.
        """
        self._guard = SaveGuard(folder.parent)
        try:
            self.save_model(str(folder))
            failures = self.ranks.gather(self._guard.words())
        finally:
            self._guard = None
        if failures[0]:
            raise NoSpaceError(f"the final model could not be written: {failures[0]}")

    def save_alone(self, folder: Path, weights: Callable[[], dict[str, torch.Tensor]]) -> None:
        """Let rank 0 save in `folder` what it has of the weights; the others wait for it."""
        self.ranks.first(lambda: super(LiftTrainer, self)._save(str(folder), weights()))

    @property
    def gathers(self) -> bool:
        """Whether the whole model can be gathered: with ZeRO-3, unless the DeepSpeed configuration says no."""
        config = self.accelerator.state.deepspeed_plugin.deepspeed_config if self.is_deepspeed_enabled else {}
        zero = config.get("zero_optimization", {})
        return zero.get("stage") != 3 or bool(zero.get("stage3_gather_16bit_weights_on_model_save"))

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:  # noqa: FBT001, FBT002
        """Save the model; where nothing may be gathered, what belongs to it without its weights.

        The Trainer would write a whole second checkpoint in their place.
        """
        if self.gathers:
            super().save_model(output_dir, _internal_call)
        else:
            self._save(output_dir, state_dict={})

    def _get_train_sampler(self, train_dataset: object = None) -> torch.utils.data.Sampler | None:
        """Sort by length among as many rows as at the run's beginning, so that the order outlives the processes."""
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        return LengthGroupedSampler(
            self._batch.group, dataset=train_dataset or self.train_dataset, model_input_name="input_ids"
        )

    def _get_output_dir(self, trial: object) -> str:
        return str(self._folder) if self._folder else super()._get_output_dir(trial)

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:
        """Write the checkpoint beside its place, describe it, then give it its name (all ranks take part).

        When the disk refuses, on whichever rank, nothing of it stays, older checkpoints are as they were, and
        training goes on.

        Raises:
            SaveBrokenError: It failed where the other ranks wait for this one.
        """
        started = time.monotonic()
        step = self.state.global_step
        target = checkpoints.checkpoint_folder(self.args.output_dir, step)
        guard = SaveGuard(checkpoints.staging_folder(target))
        if self.ranks.is_first:
            guard.attempt(lambda: checkpoints.begin(target))
        self._write(guard, lambda: super(LiftTrainer, self)._save_checkpoint(model, trial))
        written = 0
        if not self.ranks.any(guard.error is not None) and self.ranks.is_first:
            facts = {"step": step, "world_size": self.args.world_size, "versions": versions(), **self._facts}
            guard.attempt(lambda: checkpoints.commit(target, **facts))
            written = prune.newest_bytes(target.parent)
        if failures := [words for words in self.ranks.gather(guard.words()) if words]:
            self._give_up_save(step, failures[0])
            return
        seconds = time.monotonic() - started
        self.last_save = (step, seconds)
        self.metrics.event("save", step=step, seconds=round(seconds, 3), bytes=written)
        if self.ranks.is_first:
            self._prune(target.parent)

    def _write(self, guard: SaveGuard, write: Callable[[], None]) -> None:
        """Let the Trainer and DeepSpeed write this rank's part under the guard."""
        self._folder, self._guard, self._all_written = guard.folder, guard, False
        try:
            # The other ranks must find the folder; and none may write into one that could not be made.
            if not self.ranks.any(guard.error is not None):
                write()
        except Exception as error:
            if not self._all_written:
                raise SaveBrokenError(f"a checkpoint could not be written: {error}") from error
            guard.fail(error)
        finally:
            self._folder = self._guard = None

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        write = partial(super()._save, output_dir, state_dict)
        self._guard.attempt(write) if self._guard else write()
        if not self.gathers and self.ranks.is_first and output_dir:
            # save_pretrained writes a file of weights also when it is given none.
            (Path(output_dir) / "model.safetensors").unlink(missing_ok=True)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self._guard is None:
            super()._save_optimizer_and_scheduler(output_dir)
        elif self.is_deepspeed_enabled:
            with guarded(self.model_wrapped, self._guard, self.ranks):
                super()._save_optimizer_and_scheduler(output_dir)
        else:
            self._guard.attempt(partial(super()._save_optimizer_and_scheduler, output_dir))

    def _save_rng_state(self, output_dir: str) -> None:
        write = partial(super()._save_rng_state, output_dir)
        self._guard.attempt(write) if self._guard else write()
        # Only rank 0 writes from here on: whatever fails now keeps nobody waiting.
        self._all_written = True

    def _give_up_save(self, step: int, failure: str) -> None:
        if self.ranks.is_first:
            staging = checkpoints.staging_folder(checkpoints.checkpoint_folder(self.args.output_dir, step))
            shutil.rmtree(staging, ignore_errors=True)
        text = f"the checkpoint of step {step} could not be written, training goes on without it: {failure}"
        self.metrics.problem("disk_full", text)

    def _prune(self, folder: Path) -> None:
        try:
            prune.prune(folder, self.keep)
        except OSError as error:
            self.metrics.problem("disk_full", f"old checkpoints could not be removed: {error}")


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

    def on_save(self, _args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """Remember what the save took, or that there was none."""
        if self._clock and self._trainer.last_save[0] != state.global_step:
            self._clock.refused(state.global_step)
        elif self._clock:
            self._clock.saved(*self._trainer.last_save)
            if state.is_world_process_zero:
                self._keep_times(self._clock.step_seconds, self._clock.save_seconds)

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

    def __init__(self, folder: Path) -> None:
        """Remove `folder`."""
        self._folder = folder

    def on_step_end(self, _args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """Remove it."""
        if state.is_world_process_zero and self._folder.exists():
            shutil.rmtree(self._folder)


class Report(TrainerCallback):
    """Tells metrics.jsonl of each logged step."""

    def __init__(self, trainer: LiftTrainer) -> None:
        """Report for `trainer`."""
        self._trainer = trainer
        self._mark = (time.monotonic(), 0)

    def on_train_begin(self, *_args: object, **_kwargs: object) -> None:
        """Start counting."""
        self._mark = (time.monotonic(), int(self._trainer.tokens))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        _control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_kwargs: object,
    ) -> None:
        """Write a step event; summaries at the end of the training have no loss of their own."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        before, tokens_before = self._mark
        self._mark = now, tokens = time.monotonic(), int(self._trainer.tokens)
        # Rank 0's tokens stand for every rank's: the sampler deals rows out evenly.
        rate = (tokens - tokens_before) * args.world_size / max(now - before, 1e-9)
        self._trainer.metrics.event(
            "step",
            step=state.global_step,
            total_steps=state.max_steps,
            loss=logs["loss"],
            learning_rate=logs.get("learning_rate"),
            grad_norm=logs.get("grad_norm"),
            epoch=logs.get("epoch"),
            tokens_per_second=round(rate, 1),
        )
