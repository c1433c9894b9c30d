"""Where a Resource Manager is and how to sign in to it: Azure's own, or the rehearsal cloud's on this computer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AZURE_BASE_URL = "https://management.azure.com"
AZURE_AUTHORITY = "https://login.microsoftonline.com"
AZURE_PRICES_URL = "https://prices.azure.com"
# Compute allows 15 reads of one operation a minute; faster than this only earns throttling.
AZURE_POLL_SECONDS = 5.0
SSH_PORT = 22


def ssh_port_of_azure(_address: str) -> int:
    """Azure machines listen on 22, whatever their address."""
    return SSH_PORT


@dataclass(frozen=True, slots=True)
class ArmEndpoint:
    """One Resource Manager.

    Attributes:
        name: `azure` or `rehearsal`.
        base_url: Its https address, without a slash at the end.
        prices_url: The address of the Retail Prices API, which asks for no sign-in.
        authority: Where tokens come from (https).
        ca_file: Certificate authority to trust instead of the system's; None on Azure.
        subscription_id: The subscription to use; None finds it out.
        tenant_id: Tenant of the client secret; None signs in with DefaultAzureCredential.
        client_id: Application of the client secret.
        client_secret: The client secret.
        poll_seconds: How long to wait between two looks at a running operation, in seconds; at least 5 on Azure.
        ssh_port: The SSH port of the machine at an address.
        caller_address: This computer as the cloud sees it; None asks the internet.
        machines_are_here: They reach each other by their public addresses, since they are all on this computer.
    """

    name: str
    base_url: str
    prices_url: str
    authority: str
    ca_file: Path | None
    subscription_id: str | None
    tenant_id: str | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    poll_seconds: float
    ssh_port: Callable[[str], int]
    caller_address: str | None
    machines_are_here: bool = False


def azure_endpoint(subscription_id: str | None) -> ArmEndpoint:
    """Public Azure; the sign-in is whatever DefaultAzureCredential finds (`az login`, environment, identity)."""
    return ArmEndpoint(
        name="azure",
        base_url=AZURE_BASE_URL,
        prices_url=AZURE_PRICES_URL,
        authority=AZURE_AUTHORITY,
        ca_file=None,
        subscription_id=subscription_id,
        tenant_id=None,
        client_id=None,
        client_secret=None,
        poll_seconds=AZURE_POLL_SECONDS,
        ssh_port=ssh_port_of_azure,
        caller_address=None,
    )
