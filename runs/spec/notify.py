"""Section `notify`: what tells you that a run is done, has failed, or has spent much of its dollars."""

from typing import Annotated, Literal

from pydantic import Field

from runs.spec import patterns
from runs.spec.section import Auto, Section

Occasion = Literal["done", "failed", "budget"]
SecretName = Annotated[str, Field(pattern=patterns.SECRET_NAME)]


class Notify(Section):
    """Who is told when something has happened. auto: what your own config file says, else nobody."""

    desktop: Auto | bool = Field(
        default="auto", description="A message on the desktop of the computer that follows the run."
    )
    webhook: Auto | SecretName | None = Field(
        default="auto",
        description="Name of the secret that holds the address of a Slack-compatible webhook; null: none.",
    )
    when: Auto | tuple[Occasion, ...] = Field(
        default="auto", description="On what: done, failed, budget (50, 80 and 95 % of the dollars are spent)."
    )
