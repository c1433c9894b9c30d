"""Where a run's machine may be, in the order in which to try: each with its price and what stands in the way. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioning.types import Placement
from runs.plan.candidates import study_of
from runs.plan.disk import GIB
from runs.plan.figures import with_saves
from runs.plan.obstacles import Obstacle, Why
from runs.plan.prices import (
    HOURS_PER_MONTH,
    PUBLIC_IP_DOLLARS_PER_HOUR,
    SNAPSHOT_DATE,
    disk_price,
    machine_price,
)
from runs.plan.saves import evictions_per_hour
from runs.plan.verdict import obstacle_of, offer_of, region_of
from runs.tariff import EGRESS_DOLLARS_PER_GB, SYSTEM_DISK_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioning.survey_types import RegionOffer, SizeOffer, Survey
    from runs.plan.candidates import Candidate
    from runs.plan.figures import Figures
    from runs.spec.load import LoadedRunFile
    from runs.spec.run_file import RunFile


@dataclass(frozen=True, slots=True)
class PricedPlacement:
    """One machine in one place, or several: prices are those of all of them.

    Attributes:
        placement: What to ask the cloud for.
        machine_dollars_per_hour: The machine, at the price that it would be rented for: spot or on demand.
        on_demand_dollars_per_hour: The same machine on demand.
        disk_dollars_per_hour: The workspace disk; goes on while the machine is deallocated.
        os_disk_dollars_per_hour: The system disk; like the workspace disk.
        address_dollars_per_hour: The public address.
        egress_dollars: Bringing the finished model home, once.
        price_basis: Where the machine's price comes from, in words.
        is_of_region: False when the region's price is unknown and a dearer one stands in.
        hours: From `up` to the receipt, estimated; None when the data is unknown.
        step_seconds: One optimizer step, estimated.
        obstacle: Why it cannot be had or would not do; None when it is worth a try.
    """

    placement: Placement
    machine_dollars_per_hour: float
    on_demand_dollars_per_hour: float
    disk_dollars_per_hour: float
    os_disk_dollars_per_hour: float
    address_dollars_per_hour: float
    egress_dollars: float
    price_basis: str
    is_of_region: bool
    hours: float | None
    step_seconds: float
    obstacle: Obstacle | None = None

    @property
    def dollars_per_hour(self) -> float:
        """All that runs by the hour."""
        return self.machine_dollars_per_hour + self.besides_dollars_per_hour

    @property
    def besides_dollars_per_hour(self) -> float:
        """All that runs by the hour but the machine."""
        return self.disk_dollars_per_hour + self.os_disk_dollars_per_hour + self.address_dollars_per_hour

    @property
    def dollars(self) -> float | None:
        """The whole run; None when its length is unknown."""
        return None if self.hours is None else self.dollars_per_hour * self.hours + self.egress_dollars

    @property
    def on_demand_dollars(self) -> float | None:
        """The whole run, were the machine on demand."""
        if self.hours is None:
            return None
        return (self.on_demand_dollars_per_hour + self.besides_dollars_per_hour) * self.hours + self.egress_dollars

    @property
    def dollars_per_step(self) -> float:
        """What ranks offers when nobody knows how many steps there are."""
        return self.dollars_per_hour * self.step_seconds / 3600


def ranked_placements(loaded: LoadedRunFile, survey: Survey | None) -> tuple[PricedPlacement, ...]:
    """Give every placement that a run file allows, in the order in which to try them. No network.

    A named size: size by size, region by region, its zones and then no zone, as the run file has them. A wish
    (`machine.gpus`, or `machine.size: auto`): what is worth a try first, by dollars for the whole run.

    Args:
        loaded: The run file.
        survey: What the cloud said, in whole or in part; None when nobody asked it.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    return price_all(loaded.spec, study_of(loaded).candidates, survey)


def price_all(
    spec: RunFile, candidates: Iterable[Candidate], survey: Survey | None, *, spot: bool | None = None
) -> tuple[PricedPlacement, ...]:
    """Price and judge candidates in every place of the run file; `spot` asks for the other way of renting."""
    as_spot = spec.machine.spot if spot is None else spot
    priced = [
        _priced(spec, one, placement, survey)
        for one in candidates
        for placement in _places(spec, one.figures.size.name, spot=as_spot)
    ]
    return tuple(sorted(priced, key=_rank) if spec.machine.is_wish else priced)


def _rank(one: PricedPlacement) -> tuple[bool, float]:
    return one.obstacle is not None, one.dollars_per_step if one.dollars is None else one.dollars


def _places(spec: RunFile, size: str, *, spot: bool) -> Iterator[Placement]:
    # Premium SSD v2 attaches to machines in a zone only.
    zones = [str(zone) for zone in spec.machine.zones]
    anywhere: list[str | None] = [] if zones and spec.storage.disk_type == "PremiumV2_LRS" else [None]
    for region in spec.machine.regions:
        for zone in [*zones, *anywhere]:
            yield Placement(region, zone, size, spot)


def _priced(spec: RunFile, candidate: Candidate, placement: Placement, survey: Survey | None) -> PricedPlacement:
    figures = with_saves(spec, candidate.figures, evictions_per_hour(spec, placement, survey))
    priced = _at_list_prices(spec, figures, placement)
    obstacle = candidate.obstacle
    if survey is not None:
        priced = _at_survey_prices(priced, survey, figures, spec)
        obstacle = obstacle or obstacle_of(
            placement, survey, vcpus=figures.size.vcpus, max_price=spec.machine.max_price, nodes=spec.machine.nodes
        )
    priced = _of_all(priced, spec.machine.nodes)
    if spec.machine.is_wish:
        obstacle = obstacle or _beyond_limits(spec, priced)
    return replace(priced, obstacle=obstacle)


def _of_all(one: PricedPlacement, nodes: int) -> PricedPlacement:
    return replace(
        one,
        machine_dollars_per_hour=one.machine_dollars_per_hour * nodes,
        on_demand_dollars_per_hour=one.on_demand_dollars_per_hour * nodes,
        disk_dollars_per_hour=one.disk_dollars_per_hour * nodes,
        os_disk_dollars_per_hour=one.os_disk_dollars_per_hour * nodes,
        address_dollars_per_hour=one.address_dollars_per_hour * nodes,
    )


def _at_list_prices(spec: RunFile, figures: Figures, placement: Placement) -> PricedPlacement:
    price = machine_price(placement.size, placement.region)
    most = spec.machine.max_price if placement.spot else None
    # Without a spot price, spot counts with the most that can be charged.
    return PricedPlacement(
        placement=placement,
        machine_dollars_per_hour=price.dollars_per_hour if most is None else min(most, price.dollars_per_hour),
        on_demand_dollars_per_hour=price.dollars_per_hour,
        disk_dollars_per_hour=disk_price(figures.disk.disk_type, figures.disk.gib),
        os_disk_dollars_per_hour=disk_price(SYSTEM_DISK_TYPE, spec.machine.os_disk_gib),
        address_dollars_per_hour=PUBLIC_IP_DOLLARS_PER_HOUR,
        egress_dollars=EGRESS_DOLLARS_PER_GB * figures.need.final / 1e9,
        price_basis=f"list prices of {SNAPSHOT_DATE}",
        is_of_region=price.is_of_region,
        hours=None if figures.time is None else figures.time.total_seconds / 3600,
        step_seconds=figures.one_step_seconds,
    )


def _at_survey_prices(priced: PricedPlacement, survey: Survey, figures: Figures, spec: RunFile) -> PricedPlacement:
    """The same, with every price that the cloud gave."""
    offer = offer_of(survey, priced.placement.size, priced.placement.region)
    region = region_of(survey, priced.placement.region)
    if offer is not None:
        priced = _with_machine_price(priced, offer, survey.at, spec)
    return priced if region is None else _with_region_prices(priced, region, figures, spec)


def _with_machine_price(priced: PricedPlacement, offer: SizeOffer, at: float, spec: RunFile) -> PricedPlacement:
    on_demand = _first(offer.on_demand_dollars_per_hour, priced.on_demand_dollars_per_hour)
    most = _first(spec.machine.max_price, on_demand)
    wanted, stand_in = offer.on_demand_dollars_per_hour, priced.machine_dollars_per_hour
    if priced.placement.spot:
        wanted, stand_in = offer.spot_dollars_per_hour, min(most, on_demand)
    if wanted is None:
        return replace(priced, on_demand_dollars_per_hour=on_demand, machine_dollars_per_hour=stand_in)
    source = "rehearsed Retail Prices API" if spec.cloud == "rehearsal" else "Retail Prices API"
    return replace(
        priced,
        on_demand_dollars_per_hour=on_demand,
        machine_dollars_per_hour=wanted,
        price_basis=f"{source}, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(at))}",
        is_of_region=True,
    )


def _with_region_prices(
    priced: PricedPlacement, region: RegionOffer, figures: Figures, spec: RunFile
) -> PricedPlacement:
    os_disk, egress = region.os_disk_dollars_per_gib_month, region.egress_dollars_per_gib
    return replace(
        priced,
        disk_dollars_per_hour=_first(region.disk_dollars_per_hour, priced.disk_dollars_per_hour),
        os_disk_dollars_per_hour=priced.os_disk_dollars_per_hour
        if os_disk is None
        else os_disk * spec.machine.os_disk_gib / HOURS_PER_MONTH,
        address_dollars_per_hour=_first(region.address_dollars_per_hour, priced.address_dollars_per_hour),
        egress_dollars=priced.egress_dollars if egress is None else egress * figures.need.final / GIB,
    )


def _first(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _beyond_limits(spec: RunFile, priced: PricedPlacement) -> Obstacle | None:
    """A wish is held against the limits that the run file gives itself."""
    hours, dollars = spec.limits.hours, spec.limits.dollars
    if hours != "auto" and priced.hours is not None and priced.hours > hours:
        fact = f"takes about {priced.hours:.1f} hours, limits.hours is: {hours:g}"
        return Obstacle(Why.DEADLINE, fact, "raise limits.hours, or wish for more GPUs")
    if dollars != "auto" and priced.dollars is not None and priced.dollars > dollars:
        fact = f"costs about ${priced.dollars:.2f}, limits.dollars is: {dollars:g}"
        return Obstacle(Why.BUDGET, fact, "raise limits.dollars, or allow machine.spot")
    return None
