"""The words of adoption: a run as the cloud alone shows it, to a computer that has never heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.types import Machine, Placement, ResourceRef


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run by its resource group.

    Attributes:
        run_id: Its id, as the group's tag says.
        region: Where the group is.
        tags: The group's tags.
        is_leaving: The group is being deleted.
    """

    run_id: str
    region: str
    tags: Mapping[str, str]
    is_leaving: bool


@dataclass(frozen=True, slots=True)
class RunInCloud:
    """Everything that can be read of one run.

    Attributes:
        group: Its resource group.
        tags: What was decided for it: the machine's tags over the disk's over the group's, the newest first.
        refs: Every resource, the group first, those that no listing shows included.
        machine: The machine, or None.
        placement: Where and as what the machine was rented, or None.
        image: The machine's image as `publisher:offer:sku:version`, or empty.
        workspace_gib: Size of the workspace disk in GiB, or None when there is none.
        caller_address: Who may reach port 22 (CIDR), or empty.
    """

    group: FoundRun
    tags: Mapping[str, str]
    refs: tuple[ResourceRef, ...]
    machine: Machine | None
    placement: Placement | None
    image: str
    workspace_gib: int | None
    caller_address: str
