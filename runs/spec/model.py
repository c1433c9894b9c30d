"""Section `model`: the base weights."""

from typing import Self

from pydantic import Field, model_validator

from runs.spec import patterns
from runs.spec.section import Section, refuse
from runs.spec.sources import SHA256_WORDS, ModelSource, sha256_rule


class Model(Section):
    """The base weights."""

    source: ModelSource = Field(
        alias="from",
        description="A local folder, or hf://owner/name[@revision], az://, git+https://, or an https:// tar file.",
    )
    parameters_billion: float | None = Field(
        default=None, gt=0, le=1000, description="Billions of parameters, if llamalift plan cannot tell; null: it can."
    )
    sha256: str | None = Field(default=None, pattern=patterns.SHA256, description=SHA256_WORDS)

    @model_validator(mode="after")
    def _source_rules(self) -> Self:
        refuse("model", sha256_rule(self.source, self.sha256))
        return self
