"""Scripted faults strike the calls that they name, as often as they say."""

from __future__ import annotations

import pytest

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.faults import Fault, FaultList


def _struck(faults: FaultList, method: str, path: str, times: int) -> list[bool]:
    return [faults.take(method, path) is not None for _ in range(times)]


def test_strikes_the_nth_matching_call() -> None:
    """Counting starts at 1 and only matching calls count."""
    faults = FaultList()
    faults.replace([Fault("PUT", "/disks/", first=2, count=2)])
    assert _struck(faults, "GET", "/x/disks/a", 3) == [False] * 3
    assert _struck(faults, "PUT", "/x/disks/a", 4) == [False, True, True, False]
    assert faults.matched() == [4]
    assert faults.struck() == [2]


def test_count_zero_strikes_for_ever() -> None:
    """A permanent fault has count 0; `*` is any method and paths match without case."""
    faults = FaultList()
    faults.replace([Fault("*", "/VIRTUALMACHINES/", count=0)])
    assert all(_struck(faults, "DELETE", "/x/virtualMachines/a", 5))


def test_the_first_due_fault_strikes_and_all_count() -> None:
    """Two faults on one call: the earlier in the list strikes; the other's count goes on."""
    faults = FaultList()
    faults.replace([Fault("GET", "a", status=500), Fault("GET", "a", first=2, status=503)])
    first, second = faults.take("GET", "a"), faults.take("GET", "a")
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (500, 503)


def test_replacing_starts_counting_again() -> None:
    """New faults know nothing of earlier calls."""
    faults = FaultList()
    faults.replace([Fault("GET", "a", first=2)])
    faults.take("GET", "a")
    faults.replace([Fault("GET", "a", first=2)])
    assert _struck(faults, "GET", "a", 2) == [False, True]


@pytest.mark.parametrize(
    "body", [{"method": "GET"}, {"method": "GET", "path": "a", "staus": 500}, {"method": "GET", "path": "("}]
)
def test_refuses_a_malformed_fault(body: dict[str, object]) -> None:
    """A misspelt fault is refused instead of never striking."""
    with pytest.raises(ArmError):
        Fault.from_json(body)
