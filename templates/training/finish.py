"""After the last step: the final model by whichever way works, and the marker that says that training succeeded."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import check_manifest
from templates.training import checkpoints, sizes
from templates.training.errors import ModelError, NoSpaceError, TrainingError
from templates.training.room import lacking_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from templates.training.homes import Homes
    from templates.training.setup import Run
    from templates.training.trainer import LiftTrainer

MARKER = "train.json"
# There while the weights are gathered. A process that died of it (memory, most likely) leaves it, and the next attempt
# takes them from the checkpoint instead of dying again.
_GATHERING = "gathering.json"


def is_finished(run: Run) -> bool:
    """An attempt after the last one that succeeded has nothing to do."""
    marker = run.folders.markers / MARKER
    return marker.is_file() and not check_manifest(run.folders.final, contents=False)


def finish(run: Run, trainer: LiftTrainer, homes: Homes, facts: Mapping[str, Any], mean_loss: float) -> None:
    """Save the final model and leave the marker (all ranks take part).

    Args:
        run: What was trained.
        trainer: The trainer, after its last step.
        homes: Where its checkpoints are; the last one is durable before the marker says that all is done.
        facts: What the model's manifest says of it, among them `parameters`.
        mean_loss: The loss to report when no step was logged.

    Raises:
        NoSpaceError: The model, or the checkpoint that it is put together from, does not fit.
        ModelError: What was written is not the model.
    """
    run.metrics.phase("saving_final")
    precision = run.translated.precision
    adapters = sizes.model_bytes(facts["trained"], precision) if trainer.has_adapters else 0
    needed = sizes.model_bytes(facts["parameters"], precision) + adapters
    if lacking := run.ranks.first(lambda: lacking_bytes(run, needed, run.folders.checkpoints)):
        raise NoSpaceError(f"the final model of {needed:,} bytes does not fit: {lacking:,} bytes short")
    why = _why_not_gathered(run, trainer)
    try:
        _save(run, trainer, facts, why)
    except ModelError as error:
        if why or not run.zero_stage or trainer.has_adapters:
            raise
        _save(run, trainer, facts, str(error))
    homes.wait_until_durable()
    run.ranks.first(lambda: _conclude(run, trainer, mean_loss))


def _why_not_gathered(run: Run, trainer: LiftTrainer) -> str:
    """Say why the model is put together from a checkpoint; empty where it is gathered."""
    if trainer.has_adapters:
        return ""
    if not trainer.gathers:
        return "DeepSpeed is not to gather it"
    died = run.zero_stage and run.ranks.first((run.folders.markers / _GATHERING).exists)
    return "an attempt to gather it did not come to its end" if died else ""


def _save(run: Run, trainer: LiftTrainer, facts: Mapping[str, Any], why: str) -> None:
    from templates.training.final_model import save_final

    source = _last_checkpoint(run, trainer) if why else None
    if source:
        run.metrics.note(f"the final model is put together from {source.name}: {why}")
    else:
        step = {"step": trainer.state.global_step}
        run.ranks.first(lambda: _write(run.folders.markers / _GATHERING, step))
    target = run.folders.final
    try:
        save_final(trainer, target, run, facts=facts, checkpoint=source)
    except TrainingError:
        run.ranks.first(lambda: shutil.rmtree(checkpoints.staging_folder(target), ignore_errors=True))
        raise


def _last_checkpoint(run: Run, trainer: LiftTrainer) -> Path:
    """Give the complete checkpoint of the last step; one that is not there is saved."""
    step = trainer.state.global_step
    source = checkpoints.checkpoint_folder(trainer.args.output_dir, step)
    if run.ranks.first(lambda: bool(check_manifest(source))):
        trainer.save_now()
        if run.ranks.first(lambda: bool(check_manifest(source, contents=False))):
            raise NoSpaceError(f"the model is put together from a checkpoint, and none could be saved of step {step}")
    return source


def _conclude(run: Run, trainer: LiftTrainer, mean_loss: float) -> None:
    # The Trainer's mean forgets what came before a restart; the log does not.
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    words = {
        "finished_at": time.time(),
        "steps": trainer.state.global_step,
        "final_dir": str(run.folders.final),
        "train_loss": losses[-1] if losses else mean_loss,
    }
    _write(run.folders.markers / MARKER, words)
    (run.folders.markers / _GATHERING).unlink(missing_ok=True)


def _write(path: Path, words: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    checkpoints.write_durably(path, json.dumps(words))
