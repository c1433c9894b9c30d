"""Section `collect`: how the model comes home."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runs.spec.section import Section
from runs.spec.sources import LocalSource, parse_source


def _checked_target(text: str) -> str:
    match parse_source(text):
        case LocalSource():
            return text
        case _:
            raise ValueError(f"expected a local folder, found: {text}")


class Collect(Section):
    """How the model comes home. Nothing is torn down before this is done."""

    target: Annotated[str, AfterValidator(_checked_target)] = Field(
        default="./model", alias="to", min_length=1, max_length=1024, description="Local folder for the finished model."
    )
    verify: Literal["full", "checksums"] = Field(
        default="full",
        description="full: the machine loads the model and asks it something. checksums: it does not.",
    )
