"""A `train` that is a list: stages, each of which starts from the model of the one before."""

import json
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from runs.spec import patterns
from runs.spec.checkpoints import Checkpoints
from runs.spec.data import Data
from runs.spec.train import Train

_OWN = ("name", "data", "checkpoints")
_MOST_STAGES = 16


class Stage(Train):
    """One stage of several: the trainer's flags as above, a name, and what differs from the rest of the run file."""

    name: str = Field(
        pattern=patterns.RUN_NAME,
        description="What the stage is called: lower-case letters, digits and dashes, at most 24.",
    )
    data: Data | None = Field(default=None, description="What this stage trains on; null: the run's data.")
    checkpoints: Checkpoints | None = Field(
        default=None, description="When this stage saves; null: as the run does. A mirror is the run's."
    )

    def flags(self) -> dict[str, Any]:
        """Give every flag for the trainer: what a stage has beside them is not for it."""
        return {name: value for name, value in super().flags().items() if name not in _OWN}


Stages = Annotated[tuple[Stage, ...], Field(min_length=1, max_length=_MOST_STAGES)]


def one_or_several(value: object) -> Train | tuple[Stage, ...]:
    """Read `train`: keys with values are one training, a list is stages.

    Told apart by its form, not tried one after the other: what is wrong then has one place, and not two.

    Raises:
        ValidationError: It is neither, or something in it is wrong.
    """
    kind: Any = Stages if isinstance(value, list | tuple) else Train
    # Strict JSON takes exactly what YAML can say, as the run file itself is read.
    return TypeAdapter(kind).validate_json(json.dumps(value))  # type: ignore[no-any-return]


def as_written(training: Train | tuple[Stage, ...]) -> object:
    """Give plain values that `one_or_several` reads back."""
    if isinstance(training, Train):
        return training.model_dump(exclude_unset=True)
    return [{"name": stage.name} | stage.model_dump(exclude_unset=True) for stage in training]
