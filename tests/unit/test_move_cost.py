"""What a move of the disk costs is said before it is done."""

from __future__ import annotations

import pytest

from provisioning.types import Place
from runs.plan.move_cost import move_cost

EAST, WEST, PARIS, TOKYO = (Place(region, "1") for region in ("eastus", "westus3", "francecentral", "japaneast"))


def test_within_a_region_only_the_snapshot_costs() -> None:
    """A minute of it: nothing that anybody would see on a bill."""
    cost = move_cost(EAST, Place("eastus", "2"), 400.0, "Premium_LRS")
    assert cost.transfer_dollars == 0.0
    assert cost.dollars == pytest.approx(400 * 0.05 / 730 / 60)
    assert cost.words == "less than a cent and about a minute"


@pytest.mark.parametrize(
    ("here", "there", "dollars"),
    [(EAST, WEST, 8.0), (EAST, PARIS, 20.0), (PARIS, EAST, 20.0), (TOKYO, EAST, 32.0), (TOKYO, TOKYO, 0.0)],
)
def test_what_leaves_a_region_is_paid_by_the_source(here: Place, there: Place, dollars: float) -> None:
    """Within a part of the world it is cheaper; what is not in the table costs the most."""
    assert move_cost(here, there, 400.0, "Premium_LRS").transfer_dollars == pytest.approx(dollars)


def test_time_goes_by_what_is_copied() -> None:
    """At an assumed speed; disks whose snapshots are copied in the background take it in their own region, too."""
    assert move_cost(EAST, WEST, 360.0, "Premium_LRS").seconds == pytest.approx(60 + 3600)
    assert move_cost(EAST, Place("eastus", "2"), 360.0, "PremiumV2_LRS").seconds == pytest.approx(60 + 2 * 3600)
    assert move_cost(EAST, WEST, 360.0, "Premium_LRS").words == "about $7.25 and 1.0 h"
    assert move_cost(EAST, WEST, 90.0, "Premium_LRS").words == "about $1.80 and 16 minutes"
