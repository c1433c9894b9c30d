"""What a kind of resource is to the parts that treat all kinds alike: reading, listing, deleting, erasing a group."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.arm.errors import ArmError
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World


def plain_view(_world: World, resource: Resource) -> Json:
    """What GET answers when nothing follows from other resources."""
    return copy.deepcopy(resource.body)


def never_blocked(_world: World, _resource: Resource) -> ArmError | None:
    """Nothing holds it."""
    return None


def plain_erase(world: World, resource: Resource) -> None:
    """Remove it; nothing goes with it."""
    world.store.remove(resource.id)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        type: `Namespace/type`.
        rank: Group deletion erases low ranks first, so that nothing is in use when its turn comes.
        style: Whose habits its asynchronous operations have.
        view: What GET answers, with everything that follows from other resources.
        blocker: Why it cannot be deleted now, or None.
        erase: Remove it and what goes with it. May take seconds.
    """

    type: str
    rank: int
    style: Literal["compute", "disk", "network", "none"]
    view: Callable[[World, Resource], Json] = plain_view
    blocker: Callable[[World, Resource], ArmError | None] = never_blocked
    erase: Callable[[World, Resource], None] = plain_erase
