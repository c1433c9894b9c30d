"""The machine's serial log: what is left to read when SSH never comes up."""

from __future__ import annotations

import ssl
import urllib.request
from typing import TYPE_CHECKING

from provisioning.azure.errors import translated

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names

_TIMEOUT_SECONDS = 20.0
_LONGEST_LOG_BYTES = 4 * 2**20


def console_log(clients: Clients, names: Names) -> str:
    """What the machine has printed on its serial console so far; empty while Azure has nothing.

    Raises:
        ProvisioningError: There is no such machine, or the account may not read it.
    """
    with translated(f"read the serial log of {names.machine}"):
        found = clients.compute.virtual_machines.retrieve_boot_diagnostics_data(names.group, names.machine)
    if not found.serial_console_log_blob_uri:
        return ""
    try:
        return _download(found.serial_console_log_blob_uri, clients.endpoint.ca_file)
    except OSError:
        # Azure makes the blob some minutes after the first boot; until then it answers 404.
        return ""


def _download(url: str, ca_file: Path | None) -> str:
    trust = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=trust) as answer:  # noqa: S310  (an address from Azure)
        log: bytes = answer.read(_LONGEST_LOG_BYTES)
    return log.decode("utf-8", errors="replace")
