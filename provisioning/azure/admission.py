"""Moves the one rule of a run's security group to another caller."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from provisioning.azure.inventory import Inventory
from provisioning.azure.naming import API_VERSIONS, namespace_of
from provisioning.azure.network_security_group import SSH_RULE
from provisioning.azure.operations import Operations
from provisioning.types import ResourceKind, ResourceRef

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
    inventory = Inventory(clients, names)
    kind = ResourceKind.NETWORK_SECURITY_GROUP
    ref = ResourceRef(kind, names.security_group, names.id_of(kind, names.security_group))
    found = inventory.read(ref)
    now = admitted(found) if found is not None else ""
    if found is None or covers(now, caller_address):
        return now or caller_address
    progress(f"opening port 22 to {caller_address}")
    body = _moved(found, caller_address)
    by_id, version = clients.resources.resources, API_VERSIONS[kind]
    Operations(clients).run(
        f"open port 22 in {names.security_group}",
        namespace_of(ref.resource_id),
        lambda wait: wait(by_id.begin_create_or_update_by_id(ref.resource_id, body, api_version=version)),
    )
    return caller_address


def _moved(found: Mapping[str, Any], caller_address: str) -> dict[str, Any]:
    """The group as it is to be: our rule moved, everybody else's as it was, without what only Azure may say."""
    rules = []
    for rule in found["properties"]["securityRules"]:
        properties = {key: value for key, value in rule["properties"].items() if key != "provisioningState"}
        if rule["name"] == SSH_RULE:
            properties["sourceAddressPrefix"] = caller_address
        rules.append({"name": rule["name"], "properties": properties})
    body = {"location": found["location"], "properties": {"securityRules": rules}}
    return {**body, "tags": dict(found["tags"])} if found.get("tags") else body


def covers(admitted_address: str, caller_address: str) -> bool:
    """Whether a caller comes in already, as far as the two can be compared."""
    try:
        inside, outside = ipaddress.ip_network(caller_address), ipaddress.ip_network(admitted_address)
    except ValueError:
        return False
    return inside.version == outside.version and inside.subnet_of(outside)  # type: ignore[arg-type]  # one version
