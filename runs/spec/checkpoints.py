"""Section `checkpoints`: when to save and how many to keep."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from runs.spec import patterns
from runs.spec.section import Auto, Section, broken_rule, refuse


class Shrink(Section):
    """The interval between saves; it shrinks as the end comes near, so that the last step is always saved."""

    first: Auto | Annotated[int, Field(ge=1)] = Field(
        default="auto", alias="from", description="Widest interval in optimizer steps. auto: train.save_steps."
    )
    last: int = Field(default=1, alias="to", ge=1, description="Narrowest interval in optimizer steps.")
    factor: float = Field(
        default=2.0, gt=1, le=1000, description="What one rung of the ladder divides the interval by."
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if isinstance(self.first, int) and self.last > self.first:
            refuse(
                "shrink",
                [broken_rule(("to",), f"expected at most shrink.from ({self.first}), found: {self.last}", self.last)],
            )
        return self


class Checkpoints(Section):
    """When to save and how many to keep."""

    shrink: Shrink = Field(
        default_factory=Shrink, description="The interval between saves; it shrinks as the end comes near."
    )
    keep: Auto | Annotated[int, Field(ge=1, le=100)] = Field(
        default="auto", description="Complete checkpoints to keep on the machine. auto: train.save_total_limit."
    )
    max_share: float = Field(default=0.05, gt=0, le=1, description="Largest share of the time that saving may take.")
    evictions_per_hour: Auto | Annotated[float, Field(ge=0, le=60)] = Field(
        default="auto",
        description="Evictions an hour to save often enough for; 0: none. auto: the most that Azure tells of spot.",
    )
    relaunch: bool = Field(
        default=False,
        description="Do as the recipes of 2023: train to the end again and again with ever smaller save_steps.",
    )
    mirror: str | None = Field(
        default=None,
        pattern=patterns.MIRROR,
        description="Blob storage that gets a copy of each durable checkpoint: az://ACCOUNT/CONTAINER/PREFIX.",
    )
