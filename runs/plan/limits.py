"""What the run costs and where the machine stops itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runs.plan.plan import Cost, LimitsInForce

if TYPE_CHECKING:
    from runs.plan.estimate import TimeEstimate
    from runs.plan.placements import PricedPlacement
    from runs.spec.limits import Limits

# An automatic limit is this much above the estimate, and never so short that a slow boot would end the run.
MARGIN = 1.5
LEAST_HOURS, HOURS_WHEN_UNKNOWN = 1.0, 24.0


def cost_of(priced: PricedPlacement) -> Cost:
    """Give what a run costs on one machine in one place."""
    return Cost(
        machine_per_hour=priced.machine_dollars_per_hour,
        on_demand_per_hour=priced.on_demand_dollars_per_hour,
        disk_per_hour=priced.disk_dollars_per_hour,
        os_disk_per_hour=priced.os_disk_dollars_per_hour,
        address_per_hour=priced.address_dollars_per_hour,
        egress=priced.egress_dollars,
        basis=priced.price_basis,
        is_of_region=priced.is_of_region,
        hours=priced.hours,
    )


def limits_of(limits: Limits, time: TimeEstimate | None, cost: Cost) -> LimitsInForce:
    """Resolve every `auto`."""
    hours, hours_basis = _hours(limits, time)
    dollars, dollars_basis = _dollars(limits, hours, cost)
    return LimitsInForce(
        hours=hours,
        dollars=dollars,
        hours_basis=hours_basis,
        dollars_basis=dollars_basis,
        idle_minutes=limits.idle_minutes,
        lost_client_hours=limits.lost_client_hours,
        discard_after_days=limits.discard_after_days,
    )


def _hours(limits: Limits, time: TimeEstimate | None) -> tuple[float, str]:
    if limits.hours != "auto":
        return limits.hours, "limits.hours"
    if time is None:
        return HOURS_WHEN_UNKNOWN, "length unknown before the data is on the machine"
    halves = math.ceil(MARGIN * time.total_seconds / 1800)
    return max(LEAST_HOURS, halves / 2), f"{MARGIN:g} x the estimate"


def _dollars(limits: Limits, hours: float, cost: Cost) -> tuple[float, str]:
    if limits.dollars != "auto":
        return limits.dollars, "limits.dollars"
    return math.ceil(hours * cost.per_hour * 100) / 100, f"{hours:g} h at ${cost.per_hour:.2f} an hour"
