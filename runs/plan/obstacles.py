"""Why a machine cannot be had in a place, or would not do, with the one thing that changes it. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Where the portal shows all limits of a subscription and takes requests for more.
QUOTA_PORTAL = "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"


class Why(StrEnum):
    """What stands in the way; told apart by this, never by the text."""

    QUOTA = "quota"
    NOT_OFFERED = "not offered"
    ZONE = "zone"
    SPOT = "spot"
    MAX_PRICE = "max price"
    IMAGE = "image"
    FIT = "fit"
    DEADLINE = "deadline"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class QuotaRequest:
    """A limit that is too small, and how to ask for more.

    Attributes:
        name: As the usages API and `az quota` spell it.
        title: As people read it.
        region: Where.
        subscription_id: Whose limit it is.
        limit: The limit now.
        used: In use now.
        needed: vCPUs that the machine adds.
    """

    name: str
    title: str
    region: str
    subscription_id: str
    limit: int
    used: int
    needed: int

    @property
    def new_limit(self) -> int:
        """The smallest limit under which the machine fits."""
        return self.used + self.needed

    @property
    def command(self) -> str:
        """The command that asks for it; needs the `quota` extension of the Azure command line.

        Source: `az quota create` of Azure/azure-cli-extensions (API 2023-02-01), examples for compute and low priority.
        """
        kind = "lowPriority" if self.name.lower() == "lowprioritycores" else "dedicated"
        scope = f"/subscriptions/{self.subscription_id}/providers/Microsoft.Compute/locations/{self.region}"
        return (
            f"az quota create --resource-name {self.name} --scope {scope} "
            f"--limit-object value={self.new_limit} --resource-type {kind}"
        )


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why not here.

    Attributes:
        why: Its kind.
        fact: In one line.
        hint: The one thing to change.
        requests: The limits to raise; only with `Why.QUOTA`.
    """

    why: Why
    fact: str
    hint: str = ""
    requests: tuple[QuotaRequest, ...] = ()
