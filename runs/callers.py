"""Who may knock at the run's machine: one rule on port 22, which follows this computer's address.

Nothing is written down that the cloud does not say itself: the rule is one value, and asking for it again is harmless.
So a client that was killed in between is followed by any other that looks. No lease is needed: the run may be driven
meanwhile, by a client that waits for just this.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioning.addresses import covers
from provisioning.errors import ProvisioningError
from runs.errors import SpecError
from runs.facts import Decided, Leaving, Rented

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.context import RunContext

# As in the run file (`machine.allow_from`): a wider network is no protection any more.
_WIDEST = 16
_KNOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who could come in before and who can now (CIDR); `addresses` is how many that are."""

    before: str
    now: str
    addresses: int

    @property
    def has_changed(self) -> bool:
        """Whether the rule was moved."""
        return self.before != self.now


def allow(context: RunContext, wanted: str | None, say: Callable[[str], None]) -> Admitted:
    """Open port 22 to an address or network instead of whoever may come in now.

    Args:
        context: The run.
        wanted: An IPv4 address or network; None for this computer's own address, unless that may come in already.
        say: Told what is being done.

    Raises:
        SpecError: The run has no machine, or `wanted` is none that may come in.
        ProvisioningError: The cloud refuses, or this computer's address cannot be found out.
    """
    journal, run_id = context.journal, context.run_id
    decided = context.get(Decided)
    if decided is None or context.get(Rented) is None or context.get(Leaving) is not None:
        raise SpecError(f"the run has no machine to open: {run_id}", hint=f"see `llamalift status {run_id}`")
    address = _checked(wanted) if wanted else context.cloud.caller_address()
    journal.event(run_id, f"opening port 22 to {address} (was: {decided.caller_address})")
    now = context.cloud.admit(run_id, address, say, exactly=wanted is not None)
    journal.put(run_id, replace(context.require(Decided), caller_address=now))
    journal.event(run_id, f"port 22 is open to {now}")
    return Admitted(decided.caller_address, now, ipaddress.ip_network(now).num_addresses)


def follow(context: RunContext) -> bool:
    """Once the machine is silent: open port 22 to this computer's address if it has changed. True when it was moved.

    What stands in the way is noted and hides nothing: the machine is silent all the same.
    """
    decided, machine = context.get(Decided), context.spec.machine
    if decided is None or context.get(Leaving) is not None or machine.allow_from != "auto":
        return False
    try:
        if covers(decided.caller_address, context.cloud.caller_address()):
            return False
        allowed = allow(context, None, lambda _message: None)
    except ProvisioningError as error:
        context.journal.event(context.run_id, f"whether this computer may come in is not known: {error}")
        return False
    context.reporter.note(f"port 22 is open to {allowed.now} now, this computer's new address")
    return allowed.has_changed


def follow_if_silent(context: RunContext) -> None:
    """The same for a program of the system's own, which could only time out: knock first."""
    endpoint = context.endpoint()
    if endpoint.jump:
        return
    try:
        socket.create_connection((endpoint.host, endpoint.port), timeout=_KNOCK_SECONDS).close()
    except OSError:
        follow(context)


def _checked(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SpecError(
            f"expected an address or a network such as 203.0.113.0/24, found: {text}",
            hint="without `--from`, this computer's own address is found out",
        ) from None
    if network.version != 4:
        raise SpecError(
            f"the machine has an IPv4 address only, nobody can come from: {text}",
            hint="give the IPv4 address under which the internet sees that computer",
        )
    if network.prefixlen < _WIDEST:
        raise SpecError(
            f"SSH would be open to too many; the widest network is a /{_WIDEST}, found: {text}",
            hint="give the network that you come from, or a single address",
        )
    return str(network)
