"""How many machines fit where, by script; without a script there is room for all.

Zonal and regional machines come from separate pools, as on Azure. Texts: the errors as documentation and public logs
show them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE
from provisioning.rehearsal.arm.errors import ArmError, size_not_available
from provisioning.rehearsal.arm.ids import same_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_ANY = "*"
_GUIDANCE = "Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance"
_OVERCONSTRAINED = (
    "Allocation failed. VM(s) with the following constraints cannot be allocated, because the condition is too "
    "restrictive. Please remove some constraints and try again. Constraints applied are:\n"
)
_NETWORKING = "  - Networking Constraints (such as Accelerated Networking or IPv6)\n"


@dataclass(frozen=True, slots=True)
class Pool:
    """One scripted pool of machines.

    Attributes:
        region: Region, or `*` for any.
        zone: Zone, None for machines without a zone, or `*` for both.
        size: VM size, or `*` for any.
        machines: How many fit.
        error: Code of the refusal; `SkuNotAvailable` is answered at once, the others end the operation. Empty:
            `ZonalAllocationFailed` in a zone, `AllocationFailed` without one.
        after_tries: Refusals after which there is room for all; 0 for never.
    """

    region: str = _ANY
    zone: str | None = _ANY
    size: str = _ANY
    machines: int = 0
    error: str = ""
    after_tries: int = 0

    @staticmethod
    def from_json(body: Json) -> Pool:
        """Read a pool as the settings give it.

        Raises:
            ArmError: 400 with what is wrong.
        """
        unknown = body.keys() - {known.name for known in fields(Pool)}
        if unknown:
            raise ArmError(400, "InvalidSetting", f"unknown properties of a pool: {sorted(unknown)}")
        return Pool(**body)

    def holds(self, machine: Json) -> bool:
        """Whether a machine of this body comes from this pool."""
        zone, size = zone_of(machine), size_of(machine)
        in_region = self.region in {_ANY, machine["location"]}
        return in_region and self.zone in {_ANY, zone} and self.size.lower() in {_ANY, size.lower()}


def check_at_once(world: World, machine_id: str, body: Json) -> None:
    """Refuse a new machine as the call itself does.

    Raises:
        ArmError: 409 SkuNotAvailable.
    """
    _check(world, machine_id, body, at_once=True)


def check_allocation(world: World, machine: Resource) -> None:
    """Refuse a machine as the operation that would give it hardware does.

    Raises:
        ArmError: 409 with one of the allocation failures.
    """
    _check(world, machine.id, machine.body, at_once=False)


def _check(world: World, machine_id: str, body: Json, *, at_once: bool) -> None:
    for index, pool in _pools(world):
        if not pool.holds(body):
            continue
        code = pool.error or ("ZonalAllocationFailed" if zone_of(body) else "AllocationFailed")
        if (code == "SkuNotAvailable") is not at_once or not _is_full(world, index, pool, machine_id):
            return
        world.refused[index] = world.refused.get(index, 0) + 1
        raise _error(code, body)


def _pools(world: World) -> Iterator[tuple[int, Pool]]:
    for index, rule in enumerate(world.settings.capacity):
        yield index, Pool.from_json(rule)


def _is_full(world: World, index: int, pool: Pool, machine_id: str) -> bool:
    if pool.after_tries and world.refused.get(index, 0) >= pool.after_tries:
        return False
    taken = sum(
        1
        for machine in world.store.all(MACHINE_TYPE)
        if not same_id(machine.id, machine_id) and pool.holds(machine.body) and _has_hardware(machine)
    )
    return taken >= pool.machines


def _has_hardware(machine: Resource) -> bool:
    return machine.private.get("power") != "deallocated" and machine.state != "Failed"


def _error(code: str, body: Json) -> ArmError:
    size, zone = size_of(body), zone_of(body)
    if code == "SkuNotAvailable":
        return size_not_available(size, str(body["location"]))
    spot = str(body["properties"].get("priority", "Regular")) != "Regular"
    low_priority = "  - Low Priority VMs\n" if spot else ""
    preemptible = "  - Preemptible VMs (VM might be preempted by another VM with a higher priority)\n" if spot else ""
    texts = {
        "AllocationFailed": "Allocation failed. We do not have sufficient capacity for the requested VM size in this "
        f"region. {_GUIDANCE}",
        "ZonalAllocationFailed": "Allocation failed. We do not have sufficient capacity for the requested VM size "
        f"{size} in zone {zone}. {_GUIDANCE}",
        "OverconstrainedZonalAllocationRequest": f"{_OVERCONSTRAINED}  - Availability Zone\n{low_priority}{_NETWORKING}"
        f"{preemptible}  - VM Size\n",
        "OverconstrainedAllocationRequest": f"{_OVERCONSTRAINED}{low_priority}{_NETWORKING}{preemptible}  - VM Size\n",
    }
    return ArmError(409, code, texts.get(code, "Allocation failed."))


def zone_of(body: Json) -> str | None:
    """The zone of a machine, or None."""
    zones = body.get("zones") or []
    return str(zones[0]) if zones else None


def size_of(body: Json) -> str:
    """The size of a machine."""
    return str(body["properties"]["hardwareProfile"]["vmSize"])
