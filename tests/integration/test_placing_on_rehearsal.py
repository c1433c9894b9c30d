"""A machine is looked for on the rehearsal cloud: real SDKs, real refusals, failed machines that stay behind."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.errors import CapacityError, QuotaError
from provisioning.rehearsal.service import change_settings, running, script_faults
from provisioning.types import ResourceKind
from runs import Run
from runs.errors import SpecError
from runs.facts import Decided, Rented, Searching
from runs.journal.attempts import AttemptLog, Outcome
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from tests.fakes.rehearsed import MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle
    from runs.context import RunContext

D2, D4 = "Standard_D2s_v5", "Standard_D4s_v5"
TWO_BY_TWO = f"{{size: {D2}, other_sizes: [{D4}], regions: [eastus, westus3], zones: [1]}}"
ONE_REGION = f"{{size: {D2}, regions: [eastus], zones: [1]}}"
WAIT_SECONDS = 150


@pytest.fixture
def machine() -> str:
    """What the run file says of the machine."""
    return ONE_REGION


@pytest.fixture
def context(tmp_path: Path, machine: str) -> Iterator[RunContext]:
    """A run that nothing exists of yet; whatever is made of it is deleted."""
    file = write_recipe("tiny-cpu", tmp_path / "work")
    lines = file.read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("machine:"))
    end = next(number for number in range(start + 1, len(lines)) if lines[number][0] not in " #\n")
    file.write_text("".join([*lines[:start], f"machine: {machine}\n", *lines[end:]]))
    run = Run.create(file, state=StateFolder(tmp_path / "state"))
    with run.context() as opened:
        opened.cloud.account()
        yield opened
    run.down(discard=True)


def emulator(context: RunContext) -> EmulatorHandle:
    """The emulator behind the run's cloud."""
    handle = running(context.state.root)
    assert handle is not None
    return handle


def scarce(context: RunContext, *pools: Mapping[str, Any]) -> None:
    """Script where there is room."""
    change_settings(emulator(context), capacity=list(pools))


def tried(context: RunContext) -> list[tuple[str, str | None, str, str]]:
    """Region, zone, size and reason of every try."""
    tries = AttemptLog(context.journal, context.run_id).all()
    return [(t.placement.region, t.placement.zone, t.placement.size, t.code or str(t.outcome)) for t in tries]


def machines(context: RunContext) -> int:
    """How many machines the cloud has."""
    return [ref.kind for ref in context.cloud.remaining(context.run_id)].count(ResourceKind.VIRTUAL_MACHINE)


@pytest.mark.parametrize("machine", [TWO_BY_TWO], ids=["two regions and sizes"])
def test_zones_then_no_zone_then_the_next_region_and_size(context: RunContext) -> None:
    """Each with the refusal that Azure has for it; in the end one machine stands, and everything is in its place."""
    scarce(
        context,
        {"region": "eastus", "zone": "1", "size": D4, "error": "OverconstrainedZonalAllocationRequest"},
        {"region": "eastus"},
        {"region": "westus3", "size": D2, "error": "SkuNotAvailable"},
    )
    Provision().act(context)
    assert tried(context) == [
        ("eastus", "1", D2, "ZonalAllocationFailed"),
        ("eastus", None, D2, "AllocationFailed"),
        ("westus3", "1", D2, "SkuNotAvailable"),
        ("westus3", None, D2, "SkuNotAvailable"),
        ("eastus", "1", D4, "OverconstrainedZonalAllocationRequest"),
        ("eastus", None, D4, "AllocationFailed"),
        ("westus3", "1", D4, "rented"),
    ]
    found = context.cloud.find_machine(context.run_id)
    assert found is not None
    assert (found.region, found.zone, machines(context)) == ("westus3", "1", 1)
    assert context.require(Decided).size == D4
    assert Provision().is_done(context)


@pytest.mark.parametrize("machine", [f"{ONE_REGION}\nlimits: {{hours: 48}}"], ids=["two days"])
def test_a_run_that_nothing_would_end_is_not_begun(context: RunContext) -> None:
    """Beyond a day, without the right to let the machine end itself, somebody has to say that it is all right."""
    change_settings(emulator(context), caller_role="Contributor")
    with pytest.raises(SpecError) as caught:
        Provision().act(context)
    assert [problem.path for problem in caught.value.problems] == ["limits.hours"]
    assert context.journal.effects(context.run_id) == []
    assert tried(context) == [("eastus", "1", D2, "refused")]


def test_without_room_anywhere_it_says_what_was_tried(context: RunContext) -> None:
    """And no broken machine stays behind."""
    scarce(context, {})
    with pytest.raises(CapacityError) as caught:
        Provision().act(context)
    places = "eastus zone 1: no capacity (ZonalAllocationFailed); eastus: no capacity (AllocationFailed)"
    assert caught.value.fact == f"no machine to be had: {places}"
    assert machines(context) == 0


def test_a_limit_that_the_survey_sees_costs_no_try(context: RunContext) -> None:
    """Nothing at all is created where the subscription's limit is zero."""
    change_settings(emulator(context), quota_limits={"standardDSv5Family": 0})
    with pytest.raises(QuotaError, match="standardDSv5Family has 0 of 0 free, needed: 2"):
        Provision().act(context)
    assert {reason for *_, reason in tried(context)} == {"quota"}
    assert context.journal.effects(context.run_id) == []


def test_a_search_goes_on_until_a_machine_is_free(context: RunContext) -> None:
    """In the second walk there is room."""
    scarce(context, {"after_tries": 2})
    context.journal.put(context.run_id, Searching(until=time.time() + 600))
    Provision().act(context)
    outcomes = [one.outcome for one in AttemptLog(context.journal, context.run_id).all()]
    assert outcomes == [Outcome.CAPACITY, Outcome.CAPACITY, Outcome.RENTED]
    assert machines(context) == 1


def test_killed_while_the_cloud_makes_a_machine_it_is_that_machine_that_is_used(context: RunContext) -> None:
    """`kill -9` at the second place: the next client waits for what was asked for, and asks for no other."""
    scarce(context, {"zone": "1"})
    slow = {"method": "PUT", "path": MACHINES, "first": 2, "operation_delay_seconds": 6.0}
    script_faults(emulator(context), slow)
    argv = [sys.executable, "-m", "tests.fakes.search_until_killed", str(context.state.root), context.run_id]
    with subprocess.Popen(argv) as client:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _stands_without_zone(context):
            assert time.monotonic() < deadline, "the client asked for no second machine"
            assert client.poll() is None, "the client ended before it could be killed"
        client.kill()
    Provision().act(context)
    assert [(zone, reason) for _, zone, _, reason in tried(context)] == [
        ("1", "ZonalAllocationFailed"),
        (None, "abandoned"),
        (None, "rented"),
    ]
    assert machines(context) == 1
    assert context.require(Rented).zone is None


def _stands_without_zone(context: RunContext) -> bool:
    machine = context.cloud.find_machine(context.run_id)
    return machine is not None and machine.zone is None
