"""Section `data`: what to train on."""

from typing import Literal, Self

from pydantic import Field, model_validator

from runs.spec import patterns
from runs.spec.section import Section, refuse
from runs.spec.sources import SHA256_WORDS, DataSource, sha256_rule


class Data(Section):
    """What to train on."""

    source: DataSource = Field(
        alias="from",
        description="A .json or .jsonl file of Alpaca, ShareGPT or messages rows: local, hf://datasets/, https:// or az://.",
    )
    prompt_format: Literal["alpaca", "vicuna", "chatml", "tokenizer"] = Field(
        default="alpaca",
        description="How a conversation becomes text; tokenizer: by the base model's own chat template.",
    )
    sha256: str | None = Field(default=None, pattern=patterns.SHA256, description=SHA256_WORDS)

    @model_validator(mode="after")
    def _source_rules(self) -> Self:
        refuse("data", sha256_rule(self.source, self.sha256))
        return self
