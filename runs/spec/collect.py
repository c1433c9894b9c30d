"""Section `collect`: how the model comes home."""

from typing import Annotated

from pydantic import AfterValidator, Field

from runs.spec.section import Section


def _checked_target(text: str) -> str:
    if "://" in text:
        raise ValueError(f"expected a local folder (elsewhere: not yet), found: {text}")
    return text


class Collect(Section):
    """How the model comes home. Nothing is torn down before this is done."""

    target: Annotated[str, AfterValidator(_checked_target)] = Field(
        default="./model", alias="to", min_length=1, max_length=1024, description="Local folder for the finished model."
    )
