"""What the run costs and where the machine stops itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runs.plan.plan import Cost, LimitsInForce
from runs.plan.prices import PUBLIC_IP_DOLLARS_PER_HOUR, disk_price, machine_price

if TYPE_CHECKING:
    from runs.plan.disk import DiskChoice
    from runs.plan.estimate import TimeEstimate
    from runs.plan.sizes import VmSize
    from runs.spec.limits import Limits
    from runs.spec.run_file import RunFile

# An automatic limit is this much above the estimate, and never so short that a slow boot would end the run.
MARGIN = 1.5
LEAST_HOURS, HOURS_WHEN_UNKNOWN = 1.0, 24.0


def cost_of(spec: RunFile, size: VmSize, disk: DiskChoice, time: TimeEstimate | None) -> Cost:
    """Price a run at the on-demand price, or at the run file's own highest spot price."""
    price = machine_price(size.name, spec.machine.regions[0])
    machine = price.dollars_per_hour if spec.machine.max_price is None else spec.machine.max_price
    of_disk = disk_price(disk.disk_type, disk.gib)
    per_hour = machine + of_disk + PUBLIC_IP_DOLLARS_PER_HOUR
    total = None if time is None else per_hour * time.total_seconds / 3600
    return Cost(machine, of_disk, PUBLIC_IP_DOLLARS_PER_HOUR, price.is_of_region, total)


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
