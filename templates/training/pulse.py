"""The Trainer's callback that beats the heart and warns of a loss that jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from templates.training.spikes import SpikeWatch

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from templates.training.metrics import Metrics


class Pulse(TrainerCallback):
    """To be added after the callback that decides on saving, whose decision it reads."""

    def __init__(self, metrics: Metrics) -> None:
        """Tell the heartbeat of `metrics`, and itself of a jump."""
        self._metrics = metrics
        self._spikes = SpikeWatch()

    def on_train_begin(self, _args: TrainingArguments, state: TrainerState, *_more: object, **_kwargs: object) -> None:
        """A checkpoint was loaded: its step is the last one that was trained."""
        self._metrics.heartbeat.step = state.global_step
        self._metrics.heartbeat.enter("training")

    def on_step_begin(self, *_args: object, **_kwargs: object) -> None:
        """Start measuring."""
        self._metrics.heartbeat.begin()

    def on_substep_end(self, *_args: object, **_kwargs: object) -> None:
        """One of a step's micro batches is done."""
        self._metrics.heartbeat.micro_batch()

    def on_step_end(
        self, _args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: object
    ) -> None:
        """A step ended; a save may follow."""
        self._metrics.heartbeat.end(state.global_step, "saving" if control.should_save else "training")

    def on_save(self, *_args: object, **_kwargs: object) -> None:
        """The save is done."""
        self._metrics.heartbeat.enter("training")

    def on_log(
        self,
        _args: TrainingArguments,
        state: TrainerState,
        _control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_kwargs: object,
    ) -> None:
        """Warn once of a jump; training goes on."""
        if logs and "loss" in logs and (words := self._spikes.see(state.global_step, float(logs["loss"]))):
            self._metrics.warn("loss_spike", words)
