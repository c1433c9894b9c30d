"""What the tests of the Azure client on the rehearsal cloud share: one request, and ways to see what happened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from provisioning.azure.naming import API_VERSIONS, Names
from provisioning.types import ImageReference, MachineRequest, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from provisioning.azure.cloud import AzureCloud
    from provisioning.rehearsal.cloud import RehearsalCloud
    from tests.fakes.ledgers import MemoryLedger

RUN_ID = "rehearsed-1"
HTTP_LOG = "azure.core.pipeline.policies.http_logging_policy"
IMAGE = ImageReference("microsoft-dsvm", "ubuntu-hpc", "2404")
# The path of a machine itself, not of what is done to it.
MACHINES = "virtualMachines/[^/]+$"


def machine_request(cloud: AzureCloud) -> MachineRequest:
    """A machine that the rehearsal cloud has."""
    return MachineRequest(
        run_id=RUN_ID,
        region="eastus",
        zone=None,
        size="Standard_NC24ads_A100_v4",
        spot=False,
        max_price_usd_per_hour=None,
        image=cloud.resolve_image("eastus", IMAGE),
        os_disk_gib=128,
        workspace_gib=64,
        workspace_disk_type="Premium_LRS",
        admin_username="azureuser",
        ssh_public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKd0cnlpbmd0cnlpbmd0cnlpbmd0cnlpbmd0cnlpbmd0 me",
        custom_data=b"#cloud-config\n{}\n",
        caller_address=cloud.caller_address(),
        tags={"llamalift-owner": "ada"},
    )


def silent(_message: str) -> None:
    """A progress that nobody reads."""


def calls(caplog: pytest.LogCaptureFixture, *methods: str) -> list[str]:
    """The HTTP calls of these methods that the SDKs logged, as `METHOD path`."""
    found = []
    for record in caplog.records:
        text = record.getMessage()
        method = re.search(r"Request method: '(\w+)'", text)
        url = re.search(r"Request URL: 'https://[^/]+([^?']+)", text)
        if method and url and method[1] in methods:
            found.append(f"{method[1]} {url[1]}")
    return found


def kinds(ledger: MemoryLedger, moment: str) -> list[ResourceKind]:
    """What the ledger says happened, in order."""
    return [kind for said, kind in ledger.lines if said == moment]


def names_of(cloud: RehearsalCloud) -> Names:
    """The names that the run has there."""
    return Names(cloud.account().subscription_id, RUN_ID)


def found(cloud: RehearsalCloud, kind: ResourceKind, name: str) -> Mapping[str, Any]:
    """One resource of the run as the cloud answers it."""
    by_id, resource_id = cloud._open().resources.resources, names_of(cloud).id_of(kind, name)
    return by_id.get_by_id(resource_id, api_version=API_VERSIONS[kind])
