"""Section `data`: what to train on."""

from typing import Literal

from pydantic import Field

from runs.spec.section import Section
from runs.spec.sources import DataSource


class Data(Section):
    """What to train on."""

    source: DataSource = Field(
        alias="from",
        description="A local .json or .jsonl file (Alpaca, ShareGPT or messages rows), or hf://datasets/owner/name[@revision]/file.json.",
    )
    prompt_format: Literal["alpaca", "vicuna", "chatml", "tokenizer"] = Field(
        default="alpaca",
        description="How a conversation becomes text; tokenizer: by the base model's own chat template.",
    )
