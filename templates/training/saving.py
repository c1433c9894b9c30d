"""Hugging Face's Trainer with checkpoints that are whole or not there, and a disk that may be full at any moment."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import Trainer
from transformers.trainer import _is_peft_model
from transformers.trainer_pt_utils import LengthGroupedSampler

from templates.training import checkpoints, node_files, prune
from templates.training.coherence import incoherences
from templates.training.errors import NoSpaceError, SaveBrokenError
from templates.training.save_guard import SaveGuard, guarded
from templates.training.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from torch import nn

    from templates.training.batch import Batch
    from templates.training.metrics import Metrics
    from templates.training.ranks import Ranks
    from templates.training.save_guard import Failure


class SavingTrainer(Trainer):
    """Saves beside the place, seals, renames and prunes; all ranks agree on what became of it."""

    def __init__(
        self,
        *args: object,
        metrics: Metrics,
        ranks: Ranks,
        batch: Batch,
        facts: Mapping[str, Any],
        keep: int,
        shapes: Mapping[str, tuple[int, ...]],
        **kwargs: object,
    ) -> None:
        """Save with `facts` in each manifest, keep `keep` complete checkpoints and tell `metrics`.

        `shapes` are those of the whole model's parameters, without adapters.
        """
        super().__init__(*args, **kwargs)
        self.metrics = metrics
        self.ranks = ranks
        self.keep = keep
        self.shapes = shapes
        # The step that was saved last, and the seconds that it took.
        self.last_save: tuple[int, float] = (0, 0.0)
        self._batch = batch
        self._facts = facts
        self._folder: Path | None = None
        self._guard: SaveGuard | None = None
        self._all_written = False

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
            failures = self.ranks.gather(self._guard.failure())
        finally:
            self._guard = None
        if failures:
            raise NoSpaceError(f"the final model could not be written: {failures[0].text}")

    def save_alone(self, folder: Path, weights: Callable[[], dict[str, torch.Tensor]]) -> None:
        """Let rank 0 save in `folder` what it has of the weights; the others wait for it."""
        self.ranks.first(lambda: super(SavingTrainer, self)._save(str(folder), weights()))

    @property
    def has_adapters(self) -> bool:
        """Whether adapters are trained, and saved, instead of the model."""
        return _is_peft_model(self.model)

    @property
    def gathers(self) -> bool:
        """Whether what is trained can be gathered: with ZeRO-3, unless the DeepSpeed configuration says no.

        Adapters are small and always can be.
        """
        if self.has_adapters:
            return True
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
        if self.ranks.is_leader:
            guard.attempt(lambda: checkpoints.begin(target))
        self._write(guard, lambda: super(SavingTrainer, self)._save_checkpoint(model, trial))
        written = 0
        if not self.ranks.any(guard.error is not None):
            node_files.gather(self.ranks, guard.folder / target.name, guard)
            if self.ranks.is_first:
                guard.attempt(lambda: self._seal(target, step))
                written = prune.newest_bytes(target.parent)
        if failures := self.ranks.gather(guard.failure()):
            self._give_up_save(step, failures[0])
            return
        seconds = time.monotonic() - started
        self.last_save = (step, seconds)
        self.metrics.event("save", step=step, seconds=round(seconds, 3), bytes=written)
        if self.ranks.is_first:
            self._prune(target.parent)

    def _seal(self, target: Path, step: int) -> None:
        """Describe and name what was written; what the next start would not take gets no manifest."""
        facts = {"step": step, "world_size": self.args.world_size, "versions": versions(), **self._facts}
        written = checkpoints.staging_folder(target) / target.name
        if problems := list(incoherences(step, written, facts)):
            raise SaveBrokenError(f"what was written is not one checkpoint: {problems[0]}")
        checkpoints.commit(target, **facts)

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
        if self.has_adapters and self.ranks.is_first:
            state_dict = self._trained_of(state_dict)
        write = partial(super()._save, output_dir, state_dict)
        self._guard.attempt(write) if self._guard else write()
        if not self.gathers and self.ranks.is_first and output_dir:
            # save_pretrained writes a file of weights also when it is given none.
            (Path(output_dir) / "model.safetensors").unlink(missing_ok=True)

    def _trained_of(self, state: Mapping[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
        """What is trained: peft would add the frozen embeddings where tokens were added."""
        whole = self.model.state_dict() if state is None else state
        trained = {name for name, weight in self.model.named_parameters() if weight.requires_grad}
        return {name: tensor for name, tensor in whole.items() if name in trained}

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self._guard is None:
            super()._save_optimizer_and_scheduler(output_dir)
        elif self.is_deepspeed_enabled:
            with guarded(self.model_wrapped, self._guard, Path(output_dir)):
                super()._save_optimizer_and_scheduler(output_dir)
        else:
            self._guard.attempt(partial(super()._save_optimizer_and_scheduler, output_dir))

    def _save_rng_state(self, output_dir: str) -> None:
        write = partial(super()._save_rng_state, output_dir)
        self._guard.attempt(write) if self._guard else write()
        # Only rank 0 writes from here on: whatever fails now keeps nobody waiting.
        self._all_written = True

    def _give_up_save(self, step: int, failure: Failure) -> None:
        if self.ranks.is_leader:
            staging = checkpoints.staging_folder(checkpoints.checkpoint_folder(self.args.output_dir, step))
            shutil.rmtree(staging, ignore_errors=True)
        text = f"the checkpoint of step {step} could not be written, training goes on without it: {failure.text}"
        self.metrics.warn(failure.kind, text)

    def _prune(self, folder: Path) -> None:
        try:
            prune.prune(folder, self.keep)
        except OSError as error:
            self.metrics.warn("disk_full", f"old checkpoints could not be removed: {error}")
