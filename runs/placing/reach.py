"""Where the machine of a run may be whose disk holds something: the disk has to follow. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from provisioning.types import Place
from runs.plan.sizes import find_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.types import Placement
    from runs.plan.placements import PricedPlacement


class Reach(IntEnum):
    """How far a disk goes to a machine."""

    NEVER = 0
    ZONE = 1
    REGION = 2

    @classmethod
    def of(cls, word: str) -> Reach:
        """What `machine.move` says."""
        return cls[word.upper()]


def place_of(placement: Placement) -> Place:
    """The place of a machine, as a disk's."""
    return Place(placement.region, placement.zone)


def distance(here: Place, there: Place) -> Reach:
    """What it takes to bring a disk from one place to another."""
    if here == there:
        return Reach.NEVER
    return Reach.ZONE if here.region == there.region else Reach.REGION


def within_reach(places: Iterable[PricedPlacement], home: Placement, furthest: Reach) -> tuple[PricedPlacement, ...]:
    """Give the places that may be tried: the disk's own, its region's zones, other regions, as the run file has them.

    Place by place, each with all its sizes: what the disk went to is not left before everything was tried there.
    Only sizes with the same number of GPUs, and no less memory on each: the checkpoint of a run that has begun is cut
    into one part for each of them.

    Args:
        places: Every place that the run file allows.
        home: Where the disk stands, and the size that the run had.
        furthest: How far the disk may go.
    """
    here = place_of(home)
    near = [
        one
        for one in places
        if distance(here, place_of(one.placement)) <= furthest and can_go_on(home.size, one.placement.size)
    ]
    order = {there: number for number, there in enumerate(dict.fromkeys(place_of(one.placement) for one in near))}

    def rank(one: PricedPlacement) -> tuple[Reach, int]:
        there = place_of(one.placement)
        return distance(here, there), order[there]

    return tuple(sorted(near, key=rank))


def can_go_on(size: str, other: str) -> bool:
    """Whether a run that has begun on one size can go on with another."""
    had, has = find_size(size), find_size(other)
    if had is None or has is None:
        return size.lower() == other.lower()
    enough = had.gpu is None or (has.gpu is not None and has.gpu.memory_gb >= had.gpu.memory_gb)
    return had.gpus == has.gpus and enough
