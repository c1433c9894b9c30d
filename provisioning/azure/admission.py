"""Moves the one rule of a run's security group to another caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.addresses import covers
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


def admit(clients: Clients, names: Names, caller_address: str, progress: Progress, *, exactly: bool = False) -> str:
    """Let `caller_address` in instead of whoever may come in now, unless it is among them already.

    Args:
        clients: The account.
        names: The run's names.
        caller_address: Who is to come in (CIDR).
        progress: Told what is being done.
        exactly: Nobody else may come in afterwards, either.

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
    enough = now == caller_address if exactly else covers(now, caller_address)
    if found is None or enough:
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
