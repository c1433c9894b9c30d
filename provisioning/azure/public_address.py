"""Finds out as which address this computer appears on the internet."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from provisioning.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Two operators who have nothing to do with each other; each answers with the address as plain text.
SERVICES = ("https://checkip.amazonaws.com", "https://api.ipify.org")
_TIMEOUT_SECONDS = 5.0
_LONGEST_ANSWER_BYTES = 64


def public_address(services: Sequence[str] = SERVICES) -> str:
    """This computer's public IPv4 address as a CIDR of one host, from the first service that gives a sound answer.

    Raises:
        TransientError: None did.
    """
    troubles = []
    for service in services:
        try:
            return f"{_ask(service)}/32"
        except (OSError, ValueError) as error:
            troubles.append(f"{service}: {getattr(error, 'reason', error)}")
    raise TransientError(
        "cannot find out this computer's public address: " + "; ".join(troubles),
        hint="set machine.allow_from in the run file to it, for example 203.0.113.7/32",
    )


def _ask(service: str) -> ipaddress.IPv4Address:
    with urllib.request.urlopen(service, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  (the two https addresses above)
        text = answer.read(_LONGEST_ANSWER_BYTES).decode("ascii").strip()
    address = ipaddress.IPv4Address(text)
    if not address.is_global:
        raise ValueError(f"not a public address: {address}")
    return address
