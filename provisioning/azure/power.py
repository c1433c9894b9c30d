"""Since when a machine costs nothing: what only the cloud knows when nobody of ours switched it off."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from provisioning.azure import observed as seen
from provisioning.azure.inventory import or_none
from provisioning.types import MachinePower

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names


def look_at_power(clients: Clients, names: Names) -> MachinePower | None:
    """The machine's power state and, as far as the instance view has it, since when; None when there is no machine."""
    machines = clients.compute.virtual_machines
    view = or_none(lambda: machines.instance_view(names.group, names.machine), f"look at {names.machine}")
    if view is None:
        return None
    # Azure stamps the provisioning status with the end of the machine's last operation; the power status has no time.
    stamps = [status.get("time") for status in view.get("statuses") or [] if status.get("time")]
    power = seen.power_of({"properties": {"instanceView": view}})
    return MachinePower(power, _moment(str(stamps[-1])) if stamps else None)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
