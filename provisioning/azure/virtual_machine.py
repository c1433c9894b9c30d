"""The machine itself."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioning.azure.resource import OwnedResource
from provisioning.errors import RequestRefusedError
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Wait

LARGEST_CUSTOM_DATA_BYTES = 65_535
LONGEST_HOST_NAME = 63
WORKSPACE_LUN = 0
# Azure's way of saying "up to the on-demand price": never evicted for the price alone.
NO_PRICE_CAP = -1.0


@dataclass(frozen=True, slots=True)
class VirtualMachine(OwnedResource):
    """Its own disk and interface go with it, the workspace disk stays."""

    kind: ClassVar[ResourceKind] = ResourceKind.VIRTUAL_MACHINE
    fixed: ClassVar[tuple[str, ...]] = ("location", "zones", "properties.hardwareProfile.vmSize")

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.machine

    @property
    def detail(self) -> str:
        """Size, price kind, place and image."""
        request = self.request
        where = f"zone {request.zone}" if request.zone else "no zone"
        return f"{request.size}, {'spot' if request.spot else 'on demand'}, {request.region} ({where}), {request.image}"

    def body(self) -> dict[str, Any]:
        """Everything that it is made of.

        Raises:
            RequestRefusedError: The custom data is larger than Azure takes.
        """
        body: dict[str, Any] = {
            "location": self.request.region,
            "tags": self.tags,
            # With it the machine may end its own compute, where the account may grant that.
            "identity": {"type": "SystemAssigned"},
            "properties": self._properties(),
        }
        if self.request.zone:
            body["zones"] = [self.request.zone]
        return body

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The machine as it is, with its power state."""
        return clients.compute.virtual_machines.get(self.names.group, self.name, expand="instanceView")

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create and start it."""
        from azure.mgmt.compute.models import VirtualMachine

        machines = clients.compute.virtual_machines
        return wait(machines.begin_create_or_update(self.names.group, self.name, VirtualMachine(self.body())))

    def start(self, clients: Clients, wait: Wait) -> None:
        """Start it again after it was deallocated or stopped."""
        wait(clients.compute.virtual_machines.begin_start(self.names.group, self.name))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it with its own disk, interface and address. A machine without a future needs no shutdown: forced."""
        wait(clients.compute.virtual_machines.begin_delete(self.names.group, self.name, force_deletion=True))

    def _properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "hardwareProfile": {"vmSize": self.request.size},
            "storageProfile": self._storage(),
            "osProfile": self._system(),
            "networkProfile": {
                "networkInterfaces": [
                    {
                        "id": self.names.id_of(ResourceKind.NETWORK_INTERFACE, self.names.network_interface),
                        "properties": {"primary": True, "deleteOption": "Delete"},
                    }
                ]
            },
            # Secure Boot refuses the NVIDIA and OFED modules that the HPC image builds; say so instead of hoping.
            "securityProfile": {"securityType": "Standard"},
            # No storage account named: Azure keeps the serial log itself.
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        }
        if self.request.nodes > 1:
            placed = self.names.id_of(ResourceKind.AVAILABILITY_SET, self.names.availability_set)
            properties["availabilitySet"] = {"id": placed}
        if self.request.spot:
            properties["priority"] = "Spot"
            properties["evictionPolicy"] = "Deallocate"
            properties["billingProfile"] = {"maxPrice": self.request.max_price_usd_per_hour or NO_PRICE_CAP}
        return properties

    def _storage(self) -> dict[str, Any]:
        image = self.request.image
        return {
            "imageReference": {
                "publisher": image.publisher,
                "offer": image.offer,
                "sku": image.sku,
                "version": image.version,
            },
            "osDisk": {
                "name": self.names.os_disk,
                "createOption": "FromImage",
                "diskSizeGB": self.request.os_disk_gib,
                "caching": "ReadWrite",
                "deleteOption": "Delete",
                "managedDisk": {"storageAccountType": "Premium_LRS"},
            },
            "dataDisks": [
                {
                    "lun": WORKSPACE_LUN,
                    "createOption": "Attach",
                    "deleteOption": "Detach",
                    # Checkpoints are written once and seldom read; a host cache could lose them.
                    "caching": "None",
                    "managedDisk": {"id": self.names.id_of(ResourceKind.DISK, self.names.workspace_disk)},
                }
            ],
        }

    def _system(self) -> dict[str, Any]:
        user = self.request.admin_username
        return {
            "computerName": self.names.own[:LONGEST_HOST_NAME].rstrip("-"),
            "adminUsername": user,
            "customData": self._custom_data(),
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {
                    "publicKeys": [
                        {"path": f"/home/{user}/.ssh/authorized_keys", "keyData": self.request.ssh_public_key}
                    ]
                },
            },
        }

    def _custom_data(self) -> str:
        size_bytes = len(self.request.custom_data)
        if size_bytes > LARGEST_CUSTOM_DATA_BYTES:
            raise RequestRefusedError(
                f"the machine's first instructions are larger than the {LARGEST_CUSTOM_DATA_BYTES:,} bytes that Azure "
                f"takes: {size_bytes:,}",
                hint="this is a fault in llamalift: please report it",
            )
        return base64.b64encode(self.request.custom_data).decode("ascii")
