"""Opens a cloud by its name in the run file. The SDKs are imported only here, when one is really opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.errors import RequestRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.types import Cloud

AZURE = "azure"
REHEARSAL = "rehearsal"


def open_cloud(name: str, *, subscription_id: str | None, state_folder: Path) -> Cloud:
    """The cloud called `name`; close it after use.

    Args:
        name: `azure` or `rehearsal`.
        subscription_id: Subscription to use on Azure; None finds it out. The rehearsal cloud has its own.
        state_folder: Where the rehearsal cloud lives.

    Raises:
        RequestRefusedError: There is no such cloud.
        RehearsalError: The rehearsal cloud cannot be started.
    """
    if name == AZURE:
        from provisioning.azure.cloud import AzureCloud
        from provisioning.azure.endpoint import azure_endpoint

        return AzureCloud(azure_endpoint(subscription_id))
    if name == REHEARSAL:
        from provisioning.rehearsal.cloud import open_rehearsal

        return open_rehearsal(state_folder)
    raise RequestRefusedError(f"no such cloud: {name}", hint=f"set cloud in the run file to {AZURE} or {REHEARSAL}")


def clock_skew_seconds(cloud: Cloud) -> float | None:
    """Seconds by which this computer's clock is ahead of the cloud's; None when that cannot be found out."""
    from provisioning.azure.clock import clock_skew_seconds as ask
    from provisioning.azure.cloud import AzureCloud

    return ask(cloud.endpoint) if isinstance(cloud, AzureCloud) else None
