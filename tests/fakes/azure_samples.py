"""What the Azure tests ask for: one request, in its plain and in its spot form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from provisioning.azure.naming import Names
from provisioning.types import ImageReference, MachineRequest

NAMES = Names("00000000-0000-0000-0000-000000000001", "wizardlm-7b-k3m2p9")

ON_DEMAND = MachineRequest(
    run_id=NAMES.run_id,
    region="eastus",
    zone=None,
    size="Standard_NC96ads_A100_v4",
    spot=False,
    max_price_usd_per_hour=None,
    image=ImageReference("microsoft-dsvm", "ubuntu-hpc", "2404", "24.04.2026072901"),
    os_disk_gib=128,
    workspace_gib=1024,
    workspace_disk_type="Premium_LRS",
    admin_username="llama",
    ssh_public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEX llama",
    custom_data=b"#cloud-config\n",
    caller_address="203.0.113.7/32",
    tags={"llamalift-owner": "ada"},
)
SPOT_IN_ZONE_2 = replace(ON_DEMAND, spot=True, max_price_usd_per_hour=4.5, zone="2")
WITH_BACKSTOP = replace(ON_DEMAND, shutdown_at=datetime(2026, 11, 23, 6, 5, tzinfo=UTC))
