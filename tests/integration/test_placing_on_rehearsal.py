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
MACHINE = f"machine: {{size: {D2}, other_sizes: [{D4}], regions: [eastus, westus3], zones: [2, 1]}}\n"
WAIT_SECONDS = 60


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """A run that may go to two zones or none of two regions, with two sizes; whatever is made of it is deleted."""
    file = write_recipe("tiny-cpu", tmp_path / "work")
    lines = file.read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("machine:"))
    end = next(number for number in range(start + 1, len(lines)) if lines[number][0] not in " #\n")
    file.write_text("".join([*lines[:start], MACHINE, *lines[end:]]))
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


def test_zones_then_no_zone_then_the_next_region_and_size(context: RunContext) -> None:
    """Each with the refusal that Azure has for it; in the end one machine stands, and everything is in its place."""
    scarce(
        context,
        {"region": "eastus", "zone": "1", "error": "OverconstrainedZonalAllocationRequest"},
        {"region": "eastus"},
        {"region": "westus3", "size": D2, "error": "SkuNotAvailable"},
        {"region": "westus3", "zone": "2", "size": D4},
    )
    Provision().act(context)
    assert tried(context) == [
        ("eastus", "2", D2, "ZonalAllocationFailed"),
        ("eastus", "1", D2, "OverconstrainedZonalAllocationRequest"),
        ("eastus", None, D2, "AllocationFailed"),
        ("westus3", "2", D2, "SkuNotAvailable"),
        ("westus3", "1", D2, "SkuNotAvailable"),
        ("westus3", None, D2, "SkuNotAvailable"),
        ("eastus", "2", D4, "ZonalAllocationFailed"),
        ("eastus", "1", D4, "OverconstrainedZonalAllocationRequest"),
        ("eastus", None, D4, "AllocationFailed"),
        ("westus3", "2", D4, "ZonalAllocationFailed"),
        ("westus3", "1", D4, "rented"),
    ]
    machine = context.cloud.find_machine(context.run_id)
    assert machine is not None
    assert (machine.region, machine.zone, machines(context)) == ("westus3", "1", 1)
    assert context.require(Decided).size == D4
    assert Provision().is_done(context)


def test_without_room_anywhere_it_says_what_was_tried(context: RunContext) -> None:
    """And no broken machine stays behind."""
    scarce(context, {})
    with pytest.raises(CapacityError) as caught:
        Provision().act(context)
    assert f"{D2} in eastus zone 2: no capacity (ZonalAllocationFailed)" in caught.value.fact
    assert f"{D4} in westus3: no capacity (AllocationFailed)" in caught.value.fact
    assert machines(context) == 0


def test_a_limit_that_the_survey_sees_costs_no_try(context: RunContext) -> None:
    """Nothing at all is created where the subscription's limit is zero."""
    change_settings(emulator(context), quota_limits={"standardDSv5Family": 0})
    with pytest.raises(QuotaError, match="standardDSv5Family has 0 of 0 free, needed: 2"):
        Provision().act(context)
    assert {reason for *_, reason in tried(context)} == {"quota"}
    assert context.journal.effects(context.run_id) == []


def test_a_search_goes_on_until_a_machine_is_free(context: RunContext) -> None:
    """After the second walk there is room."""
    scarce(context, {"size": D4, "error": "SkuNotAvailable"}, {"after_tries": 8})
    context.journal.put(context.run_id, Searching(until=time.time() + 600))
    Provision().act(context)
    outcomes = [one.outcome for one in AttemptLog(context.journal, context.run_id).all()]
    assert outcomes.count(Outcome.CAPACITY) == 8
    assert outcomes[-1] is Outcome.RENTED
    assert machines(context) == 1


def test_killed_while_the_cloud_makes_a_machine_it_is_that_machine_that_is_used(context: RunContext) -> None:
    """`kill -9` at the second place: the next client waits for what was asked for, and asks for no other."""
    scarce(context, {"region": "eastus", "zone": "2"})
    slow = {"method": "PUT", "path": MACHINES, "first": 2, "operation_delay_seconds": 4.0}
    script_faults(emulator(context), slow)
    argv = [sys.executable, "-m", "tests.fakes.search_until_killed", str(context.state.root), context.run_id]
    with subprocess.Popen(argv) as client:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _stands_in(context, "1"):
            assert time.monotonic() < deadline, "the client asked for no second machine"
            assert client.poll() is None, "the client ended before it could be killed"
        client.kill()
    Provision().act(context)
    assert [(zone, reason) for _, zone, _, reason in tried(context)] == [
        ("2", "ZonalAllocationFailed"),
        ("1", "abandoned"),
        ("1", "rented"),
    ]
    assert machines(context) == 1
    assert context.require(Rented).zone == "1"


def _stands_in(context: RunContext, zone: str) -> bool:
    machine = context.cloud.find_machine(context.run_id)
    return machine is not None and machine.zone == zone
