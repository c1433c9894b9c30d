"""Reads what Azure returned: states, differences from what was asked for, power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioning.types import PowerState

_POWER_PREFIX = "PowerState/"
_STATE_PREFIX = "ProvisioningState/"
_POWERS = {
    "creating": PowerState.STARTING,
    "starting": PowerState.STARTING,
    "running": PowerState.RUNNING,
    "stopping": PowerState.STOPPING,
    "stopped": PowerState.STOPPED,
    "deallocating": PowerState.DEALLOCATING,
    "deallocated": PowerState.DEALLOCATED,
}
SUCCEEDED = "Succeeded"
FAILED = "Failed"
CANCELED = "Canceled"
DELETING = "Deleting"
_SETTLED = frozenset({SUCCEEDED, FAILED, CANCELED})


def value_at(body: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  (JSON)
    """The value at a dotted path, or None."""
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def provisioning_state(observed: Mapping[str, Any]) -> str:
    """`Succeeded`, `Failed`, or a word that means that it is still being worked on."""
    return str(value_at(observed, "properties.provisioningState") or SUCCEEDED)


def is_settled(observed: Mapping[str, Any]) -> bool:
    """Whether nothing is being done to it at the moment."""
    return provisioning_state(observed) in _SETTLED


def describe(observed: Mapping[str, Any]) -> str:
    """Its state in a word or two, for someone who waits for it."""
    state = provisioning_state(observed)
    return state if state != SUCCEEDED or not _status_codes(observed) else str(power_of(observed))


def first_difference(wanted: object, observed: object, path: str = "") -> str | None:
    """The path of the first thing in `wanted` that is not so in `observed`; what only Azure knows does not count.

    Strings are compared without case (Azure changes the case of ids and regions), lists by position.
    """
    if isinstance(wanted, Mapping) and isinstance(observed, Mapping):
        pairs = [(f"{path}.{key}" if path else str(key), value, observed.get(key)) for key, value in wanted.items()]
    elif isinstance(wanted, list) and isinstance(observed, list) and len(wanted) == len(observed):
        pairs = [(f"{path}[{i}]", *both) for i, both in enumerate(zip(wanted, observed, strict=True))]
    elif isinstance(wanted, str) and isinstance(observed, str):
        return None if wanted.lower() == observed.lower() else path
    else:
        return None if wanted == observed else path
    return next((found for here, want, see in pairs if (found := first_difference(want, see, here))), None)


def power_of(machine: Mapping[str, Any]) -> PowerState:
    """The power state of a machine that was read with its instance view."""
    codes = _status_codes(machine)
    power = next((code.removeprefix(_POWER_PREFIX) for code in codes if code.startswith(_POWER_PREFIX)), "")
    if power in _POWERS:
        return _POWERS[power]
    return PowerState.FAILED if provisioning_state(machine) == FAILED else PowerState.STARTING


def is_beyond_repair(machine: Mapping[str, Any]) -> bool:
    """Whether only deleting and creating it again helps.

    `Failed` alone does not say so: a running machine turns `Failed` when an extension that a policy put on it fails.
    """
    if provisioning_state(machine) not in {FAILED, CANCELED}:
        return False
    never_booted = any(code.startswith(f"{_STATE_PREFIX}failed/OSProvisioning") for code in _status_codes(machine))
    return never_booted or power_of(machine) is not PowerState.RUNNING


def _status_codes(machine: Mapping[str, Any]) -> list[str]:
    statuses = value_at(machine, "properties.instanceView.statuses") or []
    return [str(status.get("code", "")) for status in statuses]
