"""Section `collect`: how the model comes home."""

from typing import Annotated, Literal

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
    stages: Literal["last", "all"] = Field(
        default="last",
        description="Of several stages: the last one's model comes home, or all; the others as TO-NAME beside it.",
    )
