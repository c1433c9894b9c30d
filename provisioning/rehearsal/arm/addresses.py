"""Loopback addresses for machines: one of their own each, where the system allows it."""

from __future__ import annotations

import random
import socket
import sys
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.store import Store

LINUX_SSH_PORT = 2222
_TRIES = 200


def free_address(store: Store) -> str:
    """An address that no public IP of this cloud has and that nobody else on this computer listens on.

    Linux answers on all of 127.0.0.0/8; macOS only on 127.0.0.1, where machines differ by port alone.

    Raises:
        ArmError: 409 when no address is to be had.
    """
    if sys.platform != "linux":
        return "127.0.0.1"
    taken = {str(resource.properties.get("ipAddress")) for resource in store.all("Microsoft.Network/publicIPAddresses")}
    for _ in range(_TRIES):
        address = f"127.{random.randint(64, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"  # noqa: S311 - no secret
        if address not in taken and _can_listen(address, LINUX_SSH_PORT):
            return address
    raise ArmError(409, "PublicIPCountLimitReached", "No free loopback address was found.", details=[])


def machine_port(address: str) -> int:
    """The port on which a machine at `address` is to answer SSH.

    Raises:
        OSError: No port is free.
    """
    if sys.platform == "linux":
        return LINUX_SSH_PORT
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _can_listen(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
