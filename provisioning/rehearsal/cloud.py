"""The rehearsal cloud: the same code as on Azure, pointed at the emulator on this computer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from provisioning.azure.cloud import AzureCloud
from provisioning.azure.endpoint import ArmEndpoint
from provisioning.rehearsal.service import ensure_running, machine_port, stop_if_empty

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle

NAME = "rehearsal"
# The emulator names its own pause in every answer; this is for answers that have none.
POLL_SECONDS = 0.2
CALLER_ADDRESS = "127.0.0.1/32"


class RehearsalCloud(AzureCloud):
    """An `AzureCloud` that ends the emulator when nothing is left in it."""

    def __init__(self, handle: EmulatorHandle) -> None:
        super().__init__(rehearsal_endpoint(handle))
        self._handle = handle

    def close(self) -> None:
        """Close the connections, and end the emulator unless something still exists in it."""
        super().close()
        stop_if_empty(self._handle)


def open_rehearsal(state_folder: Path) -> RehearsalCloud:
    """The rehearsal cloud of a state folder; its emulator is started when it is not running.

    Raises:
        RehearsalError: It cannot be started.
    """
    return RehearsalCloud(ensure_running(state_folder))


def rehearsal_endpoint(handle: EmulatorHandle) -> ArmEndpoint:
    """Where the emulator is and how to sign in to it."""
    return ArmEndpoint(
        name=NAME,
        base_url=handle.base_url,
        prices_url=handle.base_url,
        authority=handle.base_url,
        ca_file=handle.ca_file,
        subscription_id=handle.subscription_id,
        tenant_id=handle.tenant_id,
        client_id=handle.client_id,
        client_secret=handle.client_secret,
        poll_seconds=POLL_SECONDS,
        ssh_port=partial(machine_port, handle),
        caller_address=CALLER_ADDRESS,
        machines_are_here=True,
    )
