"""Troubles by name are faults with Azure's own bodies, and say what Azure's clients look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioning.azure.error_codes import BUSY_CODES, meaning_of
from provisioning.errors import CapacityError, NotOfferedError, QuotaError, ThrottledError, TransientError
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.faults import Fault
from provisioning.rehearsal.arm.troubles import TROUBLES

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.json_types import Json


@pytest.mark.parametrize("name", TROUBLES)
def test_each_is_a_fault(name: str) -> None:
    """Every trouble answers something else than the call itself, or makes its operation fail."""
    fault = Fault.from_json({"method": "PUT", "path": "/virtualMachines/", "trouble": name})
    assert fault.replaces_answer or fault.operation_error is not None


def test_what_a_fault_says_itself_wins() -> None:
    """A throttling that is over in a second instead of twenty minutes."""
    body = {"method": "GET", "path": "/", "trouble": "throttled-by-compute", "headers": {"Retry-After": "1"}}
    fault = Fault.from_json(body)
    assert (fault.status, fault.headers) == (429, {"Retry-After": "1"})


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("quota-of-family", QuotaError),
        ("size-not-available", NotOfferedError),
        ("no-capacity", CapacityError),
        ("throttled-by-compute", ThrottledError),
        ("interface-reserved", TransientError),
        ("internal-error", TransientError),
        ("bad-gateway", TransientError),
    ],
)
def test_our_client_understands_them(name: str, error: type[Exception]) -> None:
    """Codes and statuses are those by which the client judges."""
    fault = Fault.from_json({"method": "PUT", "path": "/", "trouble": name})
    answered: Json = fault.body or {}
    body: Json = dict(fault.operation_error or answered.get("error", answered))
    codes = [str(body["code"]), *(str(inner["code"]) for inner in body.get("details", []))] if body else []
    assert meaning_of(fault.status or 200, codes).error is error
    if name == "interface-reserved":
        assert codes[0].lower() in BUSY_CODES


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    """A misspelt trouble never strikes silently."""
    with pytest.raises(ArmError, match=r"no-capacity, .*: no-capacty"):
        Fault.from_json({"method": "PUT", "path": "/", "trouble": "no-capacty"})
