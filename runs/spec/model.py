"""Section `model`: the base weights."""

from pydantic import Field

from runs.spec.section import Section
from runs.spec.sources import ModelSource


class Model(Section):
    """The base weights."""

    source: ModelSource = Field(alias="from", description="A local folder, or hf://owner/name[@revision].")
    parameters_billion: float | None = Field(
        default=None, gt=0, le=1000, description="Billions of parameters, if llamalift plan cannot tell; null: it can."
    )
