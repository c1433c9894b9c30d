"""The receipt: what existed, when it was gone, why something is not, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioning.types import ResourceKind, ResourceRef
from runs.facts import Collected, Undeleted
from runs.journal import Journal
from runs.journal.charges import Component, Rate, begin_charges, end_charges
from runs.receipt import make_receipt, read_receipt, write_receipt
from runs.types import EffectMoment, RunRow, RunState
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from pathlib import Path

RUN = "tiny-aaaaaa"
MACHINE = ResourceRef(ResourceKind.VIRTUAL_MACHINE, "tiny-vm", "/VM")
DISK = ResourceRef(ResourceKind.DISK, "tiny-workspace", "/Disk")


def a_journal(tmp_path: Path, cloud: str) -> Journal:
    """A run with a machine that is gone and a disk that is not."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.add_run(RunRow(RUN, "tiny", cloud, 1.0, "run.yaml", "", "0", RunState.ACTIVE))
    journal.put(RUN, decided(dollars_per_hour=2.0))
    for ref in (MACHINE, DISK):
        for moment in (EffectMoment.CREATE_INTENDED, EffectMoment.CREATED, EffectMoment.DELETE_INTENDED):
            _note(journal, moment, ref)
    _note(journal, EffectMoment.GONE, MACHINE)
    return journal


def _note(journal: Journal, moment: EffectMoment, ref: ResourceRef) -> None:
    journal.note_effect(RUN, moment, kind=ref.kind.value, name=ref.name, resource_id=ref.resource_id)


def _charge(journal: Journal) -> None:
    with journal.transaction() as db:
        begin_charges(db, RUN, "/VM", [Rate(Component.MACHINE, "Standard_D2s_v5", 3.0, "list prices")], 0.0)
        end_charges(db, RUN, "/VM", 7200.0)
        begin_charges(db, RUN, "/Disk", [Rate(Component.WORKSPACE_DISK, "8 GiB", 0.5, "list prices")], 0.0)
        end_charges(db, RUN, "/Disk", 3600.0)


def test_components_add_up(tmp_path: Path) -> None:
    """Machine, disk and the model's way home; the sum is what is to be paid."""
    journal = a_journal(tmp_path, "azure")
    _charge(journal)
    journal.put(RUN, Collected(target="/model", files=1, size_bytes=10**9, manifest_sha256="0"))
    receipt = make_receipt(journal, RUN)
    told = {line.component: line.dollars for line in receipt.components}
    assert told == {
        Component.MACHINE: pytest.approx(6.0),
        Component.WORKSPACE_DISK: pytest.approx(0.5),
        Component.EGRESS: pytest.approx(0.087),
    }
    assert receipt.dollars == pytest.approx(6.587)
    assert "$6.59" in receipt.cost_words


def test_a_rehearsal_costs_nothing_and_says_what_azure_would_take(tmp_path: Path) -> None:
    """Nobody is frightened by money that was not spent."""
    journal = a_journal(tmp_path, "rehearsal")
    _charge(journal)
    receipt = make_receipt(journal, RUN)
    assert receipt.dollars == 0.0
    assert receipt.cost_words == "nothing to pay (rehearsal), on Azure about $6.50"


def test_without_charges_the_plan_s_price_counts(tmp_path: Path) -> None:
    """A run from before charges were counted."""
    receipt = make_receipt(a_journal(tmp_path, "azure"), RUN)
    assert receipt.components == ()
    assert receipt.dollars == pytest.approx(receipt.hours * 2.0)


def test_what_could_not_be_deleted_is_told_with_its_reason(tmp_path: Path) -> None:
    """Ids are compared without case; what is gone needs no reason; and it is kept as it was."""
    journal = a_journal(tmp_path, "azure")
    _charge(journal)
    journal.put(RUN, Undeleted(at=1.0, reasons={"/disk": "it is locked", "/vm": "it was slow"}))
    receipt = make_receipt(journal, RUN)
    assert [(line.name, line.why_left) for line in receipt.resources] == [
        ("tiny-vm", ""),
        ("tiny-workspace", "it is locked"),
    ]
    write_receipt(receipt, tmp_path / "receipt.json")
    assert read_receipt(tmp_path / "receipt.json") == receipt
