"""Section `data`: what to train on."""

from typing import Literal

from pydantic import Field

from runs.spec.section import Section
from runs.spec.sources import DataSource


class Data(Section):
    """What to train on."""

    source: DataSource = Field(
        alias="from", description="A local .json or .jsonl file, or hf://datasets/owner/name[@revision]/file.json."
    )
    prompt_format: Literal["alpaca"] = Field(
        default="alpaca",
        description="alpaca: rows of instruction, optional input, and output; the prompt takes no part in the loss.",
    )
