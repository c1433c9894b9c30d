"""Moves the one rule of a run's security group to another caller."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from provisioning.azure.inventory import or_none
from provisioning.azure.naming import namespace_of
from provisioning.azure.network_security_group import SSH_RULE
from provisioning.azure.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.types import Progress


def admitted(group: Mapping[str, Any]) -> str:
    """The address (CIDR) that a security group lets in; empty when none of its rules is ours."""
    rules = (group.get("properties") or {}).get("securityRules") or []
    ours = next((rule for rule in rules if rule.get("name") == SSH_RULE), None)
    return str(ours["properties"].get("sourceAddressPrefix") or "") if ours else ""


def admit(clients: Clients, names: Names, caller_address: str, progress: Progress) -> str:
    """Let `caller_address` in instead of whoever may come in now, unless it is among them already.

    Returns:
        Who may come in afterwards (CIDR).

    Raises:
        ProvisioningError: There is no such group, or the account may not change it.
    """
    from azure.mgmt.network.models import NetworkSecurityGroup

    groups = clients.network.network_security_groups
    doing = f"open port 22 in {names.security_group}"
    found = or_none(lambda: groups.get(names.group, names.security_group), doing)
    now = admitted(found) if found is not None else ""
    if found is None or covers(now, caller_address):
        return now or caller_address
    progress(f"opening port 22 to {caller_address}")
    for rule in found["properties"]["securityRules"]:
        if rule["name"] == SSH_RULE:
            rule["properties"]["sourceAddressPrefix"] = caller_address
    moved = NetworkSecurityGroup(found)
    Operations(clients).run(
        doing,
        namespace_of(str(found["id"])),
        lambda wait: wait(groups.begin_create_or_update(names.group, names.security_group, moved)),
    )
    return caller_address


def covers(admitted_address: str, caller_address: str) -> bool:
    """Whether a caller comes in already, as far as the two can be compared."""
    try:
        inside, outside = ipaddress.ip_network(caller_address), ipaddress.ip_network(admitted_address)
    except ValueError:
        return False
    return inside.version == outside.version and inside.subnet_of(outside)  # type: ignore[arg-type]  # one version
