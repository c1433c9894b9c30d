"""What a run decided, for tests that care about one or two of its values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runs.facts import Decided

_USUAL = Decided(
    subscription_id="s",
    region="eastus",
    zone=None,
    image="a:b:c:d",
    caller_address="127.0.0.1/32",
    workspace_gib=8,
    size="Standard_D2s_v5",
    spot=False,
    machine_dollars_per_hour=0.096,
    disk_dollars_per_hour=0.001,
    address_dollars_per_hour=0.005,
    price_basis="list prices",
    dollars_per_hour=0.0,
    dollars_cap=1.0,
    deadline_at=9e9,
    save_seconds=1.0,
)


def decided(**values: Any) -> Decided:  # noqa: ANN401  (the fields of Decided)
    """A decision like any other but for `values`."""
    return replace(_USUAL, **values)
