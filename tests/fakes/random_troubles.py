"""What goes wrong in a random schedule: drawn so that it strikes, at calls that the command is sure to make.

Passing troubles strike once or twice and are survived; lasting ones outlive every retry, so that the command must fail
and say so. Nothing here is what Azure would not do: no conflict answers a read, and nothing waits for an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Faults = list[dict[str, Any]]

_EVER = 0
_GROUP = "/resourceGroups/[^/]+$"
_VM = "/virtualMachines/[^/]+$"
# A fresh launch writes each of these once at least.
_WRITTEN = (_GROUP, "/networkSecurityGroups/[^/]+$", "/virtualNetworks/[^/]+$", "/publicIPAddresses/[^/]+$",
            "/disks/[^/]+$", "/networkInterfaces/[^/]+$", _VM, _VM)  # fmt: skip
_EXTRAS = ("/schedules/", "/roleAssignments/")
# And reads these: is there a group, what became of an operation, what is on offer, how is the machine.
_READ = (_GROUP, _GROUP, "/operation(s|Statuses|results)/", "/usages$", "/skus$", _VM, "/resources$")

_BRIEF = ("throttled", "internal-error", "bad-gateway", "unavailable", "reset")
_PASSING_WRITE = (*_BRIEF, "reset-after-effect", "error-after-effect", "another-operation", "fails-later")
_LASTING_WRITE = (*_BRIEF, "throttled-by-compute", "reset-after-effect", "error-after-effect", "fails-later",
                  "no-rights", "expired-sign-in", "unregistered", "group-being-deleted")  # fmt: skip
_LASTING_MACHINE = (
    "no-capacity", "no-capacity-in-zone", "too-many-wishes", "boots-too-slowly", "cannot-change", "quota-of-family",
    "quota-of-region", "size-not-available",
)  # fmt: skip
_LASTING_READ = (*_BRIEF, "throttled-by-compute", "no-rights", "expired-sign-in")
_PASSING_DELETE = (
    "deletion-rolled-back", "interface-reserved", "address-in-use", "another-operation", "fails-later", "unavailable",
    "internal-error", "reset", "reset-after-effect", "error-after-effect", "throttled", "throttled-by-compute",
)  # fmt: skip
# The others, repeated for ever, are waited for: an hour, as the product promises.
_LASTING_DELETE = ("locked", "no-rights", "expired-sign-in")
_DELETED = (_GROUP, _GROUP, "/virtualMachines/", "/disks/", "/networkInterfaces/", "/publicIPAddresses/")


def _fault(
    method: str, paths: tuple[str, ...], troubles: tuple[str, ...], first: tuple[int, ...], count: tuple[int, ...]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "method": st.just(method),
            "path": st.sampled_from(paths),
            "trouble": st.sampled_from(troubles),
            "first": st.sampled_from(first),
            "count": st.sampled_from(count),
        }
    ).map(_wire)


def _wire(fault: dict[str, Any]) -> dict[str, Any]:
    """As the cloud takes it; where it asks for a second, a few milliseconds do."""
    return {**fault, "headers": {"x-ms-retry-after-ms": "5"}} if fault["trouble"] == "throttled" else fault


def _special(method: str, paths: tuple[str, ...], name: str, values: tuple[object, ...], count: int) -> Any:  # noqa: ANN401
    return st.fixed_dictionaries(
        {"method": st.just(method), "path": st.sampled_from(paths), name: st.sampled_from(values)},
    ).map(lambda fault: {**fault, "count": count})


_SLOW = _special("*", (_VM, _GROUP, "/disks/[^/]+$"), "operation_delay_seconds", (0.02, 0.1), 2)
_BLOCKED = _special("DELETE", (_GROUP,), "survivors", ("/disks/", "/virtualMachines/", "/publicIPAddresses/"), 2)

_PASSING_RENTAL = st.one_of(
    _fault("PUT", _WRITTEN, _PASSING_WRITE, (1,), (1, 2)),
    _fault("PUT", _WRITTEN, _PASSING_WRITE, (1,), (1, 2)),
    _fault("PUT", (_VM,), (*_LASTING_MACHINE, "fails-later"), (1, 2), (1, 2)),
    _fault("PUT", _EXTRAS, _LASTING_WRITE, (1,), (1, _EVER)),
    _fault("GET", _READ, _LASTING_READ, (1, 2, 3), (1, 2)),
    _SLOW,
)
_LASTING_RENTAL = st.one_of(
    _fault("PUT", _WRITTEN, _LASTING_WRITE, (1, 1, 2), (_EVER,)),
    _fault("PUT", (_VM,), _LASTING_MACHINE, (1,), (_EVER,)),
    _fault("GET", (_GROUP, _GROUP, _VM), _LASTING_READ, (1, 2), (_EVER,)),
)
# What a launch does instead where the machine stands already, and was evicted.
_LASTING_START = st.one_of(
    _fault("POST", ("/start$",), (*_LASTING_WRITE[:-2], "no-capacity", "quota-of-region"), (1,), (_EVER,)),
    _fault("GET", (_VM,), _LASTING_READ, (1,), (_EVER,)),
)
_PASSING_REMOVAL = st.one_of(
    _fault("DELETE", _DELETED, _PASSING_DELETE, (1,), (1, 2, 4)),
    _fault("DELETE", (_GROUP,), _PASSING_DELETE, (1, 2), (1, 2, 4)),
    _BLOCKED,
    _fault("GET", (_GROUP, "/operation(s|Statuses|results)/", "/resources$"), _BRIEF, (1, 2), (1, 2)),
    _SLOW,
)
_LASTING_REMOVAL = st.one_of(
    _fault("DELETE", ("/resourceGroups/", "/resourceGroups/", _GROUP), _LASTING_DELETE, (1, 1, 2), (_EVER,)),
    _fault("GET", (_GROUP, "/resources$"), _LASTING_READ, (1, 2, 3), (_EVER,)),
)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What happens in the middle of a command.

    Attributes:
        what: `ctrl-c`, `evict` or `power cut`; empty for nothing.
        at: At which of the things that the command says it waits for.
    """

    what: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens in a schedule.

    Attributes:
        command: What is done.
        faults: What goes wrong meanwhile.
        settings: What the cloud has to give meanwhile, where that is less than plenty.
        meanwhile: What happens in its middle.
    """

    command: str
    faults: Faults = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    meanwhile: Meanwhile = Meanwhile()


# Nothing to be had anywhere, nothing in one place, or nothing until it was asked for twice.
_SCARCE = st.sampled_from(
    (
        {"capacity": [{}]},
        {"capacity": [{"error": "SkuNotAvailable"}]},
        {"capacity": [{"zone": "1", "error": "OverconstrainedZonalAllocationRequest"}]},
        {"capacity": [{"region": "eastus"}]},
        {"capacity": [{"after_tries": 2}]},
        {"quota_limits": {"cores": 0}},
        {"regional_quota_limits": {"eastus": {"cores": 0}}},
    )
)
_PLENTY: st.SearchStrategy[dict[str, Any]] = st.just({})
_MEANWHILE = st.one_of(
    *[st.just(Meanwhile())] * 8,
    # A new process of the cloud takes as long as a schedule.
    st.builds(Meanwhile, st.sampled_from((*["ctrl-c"] * 4, *["evict"] * 3, "power cut")), st.integers(1, 9)),
)


def _several(passing: Any, lasting: Any) -> st.SearchStrategy[Faults]:  # noqa: ANN401
    """At least two, two times out of three with one among them that no retry survives."""
    hard = st.builds(lambda some, one: [*some, *one], st.lists(passing, min_size=1, max_size=2), lasting)
    return st.one_of(hard, hard, st.lists(passing, min_size=2, max_size=4))


def _step(command: str, faults: st.SearchStrategy[Faults], settings: Any = _PLENTY) -> st.SearchStrategy[Step]:  # noqa: ANN401
    return st.builds(Step, st.just(command), faults, settings, _MEANWHILE)


_RENTAL = _several(_PASSING_RENTAL, st.tuples(_LASTING_RENTAL, _LASTING_START))
_REMOVAL = _several(_PASSING_REMOVAL, st.tuples(_LASTING_REMOVAL))
# A launch that fails deletes what it made, and meets trouble there, too.
_BOTH = st.builds(lambda some, more: some + more, _RENTAL, _REMOVAL)

UPS = st.one_of(
    _step("up", _BOTH), _step("up", _RENTAL), _step("up", st.lists(_PASSING_RENTAL, max_size=2), _SCARCE)
)  # fmt: skip
STEPS = st.one_of(
    *[_step("down", _REMOVAL)] * 5,
    *[UPS] * 4,
    _step("sweep", _REMOVAL),
    st.builds(Step, st.sampled_from(("evict", "evict", "status", "power_cut"))),
)
