"""What a run's time costs: opened with the intent, ended with the proof, and never counted twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioning.types import DeletionProof, ResourceKind, ResourceRef
from runs.cost import cost_of_run, egress, summed
from runs.facts import Collected, Estimate, Moved
from runs.journal import Journal
from runs.journal.charges import (
    ChargeRow,
    Component,
    Rate,
    begin_charges,
    charges_of,
    end_charges,
    end_machine_charge,
    spent_dollars,
)
from runs.ledger import RunLedger
from runs.tariff import charge_existing
from runs.types import RunRow, RunState
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from pathlib import Path

RUN = "tiny-aaaaaa"
VM = ResourceRef(ResourceKind.VIRTUAL_MACHINE, f"{RUN}-vm", "/vm")
DISK = ResourceRef(ResourceKind.DISK, f"{RUN}-workspace", "/disk")
ADDRESS = ResourceRef(ResourceKind.PUBLIC_IP, f"{RUN}-ip", "/ip")
HOURLY = Rate(Component.MACHINE, "big", 10.0, "made up")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with one run that has decided what to rent."""
    (tmp_path / "data.json").write_text("[]")
    text = "name: tiny\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: ./data.json}\n"
    made = Journal(tmp_path / "journal.sqlite")
    made.add_run(RunRow(RUN, "tiny", "rehearsal", 1.0, str(tmp_path / "r.yaml"), text, "0" * 64, RunState.ACTIVE))
    made.put(RUN, decided())
    return made


def open_components(journal: Journal) -> set[Component]:
    """What costs money now."""
    return {charge.component for charge in charges_of(journal, RUN) if charge.ended_at is None}


def test_everything_that_costs_is_counted_from_its_intent_to_its_proof(journal: Journal) -> None:
    """The machine brings its own disk; what is free opens nothing; a 404 ends what the resource cost."""
    ledger = RunLedger(journal, RUN)
    for ref in (VM, DISK, ADDRESS, ResourceRef(ResourceKind.VIRTUAL_NETWORK, "net", "/net")):
        ledger.intend_create(ref)
        ledger.created(ref)
    assert len(charges_of(journal, RUN)) == 4
    assert open_components(journal) == set(Component) - {Component.EGRESS, Component.SNAPSHOT, Component.TRANSFER}
    # Azure does not keep the case of an id.
    ledger.gone(DeletionProof(ResourceRef(VM.kind, VM.name, "/VM"), datetime.now(UTC)))
    assert open_components(journal) == {Component.WORKSPACE_DISK, Component.ADDRESS}


def test_a_deallocated_machine_keeps_costing_its_disks(journal: Journal) -> None:
    """Its hours end at deallocation and begin again when it is started; disks and address go on."""
    ledger = RunLedger(journal, RUN)
    for ref in (VM, DISK, ADDRESS):
        ledger.intend_create(ref)
    end_machine_charge(journal, RUN, 9e9)
    assert open_components(journal) == {Component.SYSTEM_DISK, Component.WORKSPACE_DISK, Component.ADDRESS}
    ledger.created(VM)
    machine = [charge for charge in charges_of(journal, RUN) if charge.component is Component.MACHINE]
    assert len(machine) == 2
    assert machine[1].ended_at is None


def test_an_intent_that_is_repeated_opens_nothing_twice(journal: Journal) -> None:
    """A client killed after its intent says it again; another price ends the old stretch at that moment."""
    with journal.transaction() as db:
        begin_charges(db, RUN, "/vm", [HOURLY], 0.0)
        begin_charges(db, RUN, "/vm", [HOURLY], 3600.0)
        begin_charges(db, RUN, "/vm", [Rate(Component.MACHINE, "small", 1.0, "made up")], 7200.0)
    first, second = charges_of(journal, RUN)
    assert (first.began_at, first.ended_at, second.began_at, second.ended_at) == (0.0, 7200.0, 7200.0, None)
    assert spent_dollars(journal, RUN, 7200.0 + 1800.0) == pytest.approx(20.5)


def test_nothing_ends_before_it_began(journal: Journal) -> None:
    """A cloud whose clock is behind takes no money back."""
    with journal.transaction() as db:
        begin_charges(db, RUN, "/vm", [HOURLY], 100.0)
        end_charges(db, RUN, "/vm", 50.0)
    assert spent_dollars(journal, RUN, 1e6) == 0.0


def test_a_run_that_was_found_again_is_counted_from_its_beginning(journal: Journal) -> None:
    """Adopted from another computer: what exists is counted from the run's start, and once."""
    charge_existing(journal, RUN, [VM, DISK, ADDRESS], since=0.0)
    end_machine_charge(journal, RUN, 60.0)
    charge_existing(journal, RUN, [VM], since=5.0)
    assert {charge.began_at for charge in charges_of(journal, RUN)} == {0.0}
    assert len(charges_of(journal, RUN)) == 4


def test_stretches_at_one_price_are_one_line() -> None:
    """Two starts of a machine are one line; it goes on when the last one does."""
    rows = [
        ChargeRow(Component.MACHINE, "big", "/vm", 10.0, "made up", 0.0, 3600.0),
        ChargeRow(Component.MACHINE, "big", "/vm", 10.0, "made up", 7200.0, None),
    ]
    (line,) = summed(rows, 9000.0)
    assert (line.hours, line.dollars, line.goes_on) == (1.5, 15.0, True)


def test_the_models_way_home_is_part_of_the_cost(journal: Journal) -> None:
    """13.5 GB out of the cloud are counted as if nothing of them were free, beside what the plan expected."""
    journal.put(RUN, Estimate(dollars=2.0, hours=1.0))
    journal.put(RUN, Collected("/model", 3, 13_500_000_000, "0"))
    cost = cost_of_run(journal, RUN)
    assert cost.dollars == pytest.approx(13.5 * 0.087)
    assert (cost.estimate_dollars, cost.dollars_per_hour) == (2.0, 0.0)
    assert egress(0).dollars == 0.0


def test_a_move_is_counted_too(journal: Journal) -> None:
    """The disk under its next name, snapshots while they exist, and the way to another region once."""
    ledger = RunLedger(journal, RUN)
    snapshot = ResourceRef(ResourceKind.SNAPSHOT, f"{RUN}-workspace-snapshot", "/snapshot")
    moved = ResourceRef(ResourceKind.DISK, f"{RUN}-workspace-2", "/disk-2")
    for ref in (snapshot, moved, ResourceRef(ResourceKind.DISK, f"{RUN}-placeholder", "/placeholder")):
        ledger.intend_create(ref)
    assert open_components(journal) == {Component.SNAPSHOT, Component.WORKSPACE_DISK}
    ledger.gone(DeletionProof(snapshot, datetime.now(UTC)))
    assert open_components(journal) == {Component.WORKSPACE_DISK}
    journal.put(RUN, Moved(gb=400.0, dollars=8.0))
    (transfer,) = [line for line in cost_of_run(journal, RUN).lines if line.component is Component.TRANSFER]
    assert (transfer.detail, transfer.dollars, transfer.goes_on) == ("400 GB", 8.0, False)
