"""Everything that happened in a run, in order and in plain words: journal, cloud, search for a machine, and trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.types import StageState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.history import RunHistory
    from runs.training_log import Save, Training
    from runs.types import EffectRow, StageRow

_HOMES = {"saved": "saved", "drained": "durable on the workspace", "mirrored": "copied to blob storage"}
_PHASES = {
    "loading": "the trainer loads model and data",
    "training": "training begins",
    "saving_final": "the final model is saved",
    "verifying": "the final model is loaded back and asked",
    "answering": "the model answers questions",
    "scoring": "the models are scored",
    "draining": "the last checkpoint moves to the workspace",
    "looking_into_mirror": "the trainer looks for a newer checkpoint in blob storage",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened.

    Attributes:
        at: In seconds since the epoch.
        kind: `run`, `stage`, `cloud`, `search`, `journal`, `training`, `save`, `note`, `warning` or `problem`.
        text: What, in words.
    """

    at: float
    kind: str
    text: str


def timeline(history: RunHistory) -> list[Moment]:
    """Everything, oldest first; what happened at the same time stays in the order of cause and effect."""
    return sorted(_moments(history), key=lambda moment: moment.at)


def _moments(history: RunHistory) -> Iterator[Moment]:
    yield Moment(history.row.created_at, "run", f"the run was entered, from {history.row.run_file}")
    for stage in history.stages:
        yield from _stage(stage)
    yield from (Moment(event.at, "journal", event.text) for event in history.events)
    for one in history.attempts:
        place = one.placement
        where = f"{place.size} in {place.region}" + (f", zone {place.zone}" if place.zone else "")
        yield Moment(one.at, "search", f"looked for {'spot ' if place.spot else ''}{where}: {one.reason or 'goes on'}")
    for effect in history.effects:
        yield from _effect(effect)
    for training in history.trainings:
        yield from _training(training)


def _stage(stage: StageRow) -> Iterator[Moment]:
    yield Moment(stage.started_at, "stage", f"{stage.stage} began")
    # A stage that failed is among the journal's own events, and its earlier failures, too.
    if stage.state is StageState.DONE and stage.ended_at is not None:
        yield Moment(stage.ended_at, "stage", f"{stage.stage} done: {stage.summary}")


def _effect(effect: EffectRow) -> Iterator[Moment]:
    thing = f"{effect.kind} {effect.name}"
    if effect.created_at is not None:
        yield Moment(effect.created_at, "cloud", f"{thing} exists")
    elif effect.create_intended_at is not None:
        yield Moment(effect.create_intended_at, "cloud", f"{thing} was asked for")
    if effect.gone_at is not None:
        yield Moment(effect.gone_at, "cloud", f"{thing} is gone: the cloud answers 404")


def _training(training: Training) -> Iterator[Moment]:
    of = f" ({training.stage})" if training.stage else ""
    for number, start in enumerate(training.starts, start=1):
        again = f", start {number}" if number > 1 else ""
        lost = f"; {start.lost_steps} steps are trained again" if start.lost_steps else ""
        yield Moment(start.at, "training", f"training{of} from step {start.step} of {start.total_steps}{again}{lost}")
    for save in training.saves:
        yield Moment(save.at, "save", _save(save, of))
    for said in training.said:
        text = _PHASES.get(said.text, said.text) + of if said.kind == "phase" else said.text
        if said.kind == "set_aside":
            text = f"a checkpoint was set aside: {said.text}"
        yield Moment(said.at, {"phase": "training", "set_aside": "warning"}.get(said.kind, said.kind), text)


def _save(save: Save, of: str) -> str:
    size = f", {save.size_bytes / 1e6:,.1f} MB" if save.size_bytes else ""
    took = f" in {save.seconds:.1f} s" if save.seconds else ""
    return f"step {save.step}{of} {_HOMES[save.home]}{took}{size}"
