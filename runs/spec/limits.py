"""Section `limits`: when to stop, whatever happens."""

from typing import Annotated

from pydantic import Field

from runs.spec.section import Auto, Section


class Limits(Section):
    """When to stop, whatever happens. The machine itself holds them, so they work while this computer sleeps."""

    dollars: Auto | Annotated[float, Field(gt=0, le=100_000)] = Field(
        default="auto", description="Most dollars to spend. auto: 1.5 times the plan's estimate."
    )
    hours: Auto | Annotated[float, Field(gt=0, le=720)] = Field(
        default="auto", description="Hours until the machine ends itself. auto: 1.5 times the plan's estimate."
    )
    idle_minutes: int = Field(
        default=30, ge=5, le=1440, description="Minutes in which nothing trains until the machine ends itself."
    )
    lost_client_hours: float = Field(
        default=24,
        gt=0,
        le=720,
        description="Hours without a sign of you, after the job ended, until the machine ends itself.",
    )
    discard_after_days: float = Field(
        default=7, gt=0, le=90, description="Days until a workspace that nobody collected may be deleted."
    )
    accept_power_off: bool = Field(
        default=False,
        description="Accept more than 24 hours where your account may not let the machine end its own bill.",
    )
