"""Addresses that may come in."""

from __future__ import annotations

import ipaddress


def covers(admitted_address: str, caller_address: str) -> bool:
    """Whether a caller (CIDR) comes in where `admitted_address` may, as far as the two can be compared."""
    try:
        inside, outside = ipaddress.ip_network(caller_address), ipaddress.ip_network(admitted_address)
    except ValueError:
        return False
    return inside.version == outside.version and inside.subnet_of(outside)  # type: ignore[arg-type]  # one version
