"""What a plan says beside its figures: a better place, what limits do, what GPUs say of the flags."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provisioning.survey_types import Provider, Rights, Survey
from runs.plan.candidates import study_of
from runs.plan.disk import DiskChoice
from runs.plan.disk_options import disk_options
from runs.plan.make import make_plan
from runs.plan.switches import Ending, switches_of
from runs.spec.load import load_run_file
from tests.fakes.surveys import AT, history, offer, survey
from tests.unit.test_plan_placements import BIG

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.plan import Plan

OFFLOAD = '{"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}}'


def planned(folder: Path, more: str = "", said: Survey | None = None) -> Plan:
    """The plan of a 7B run whose run file has further lines."""
    (folder / "run.yaml").write_text(BIG + more)
    return make_plan(load_run_file(folder / "run.yaml"), said)


@pytest.mark.parametrize(
    ("more", "said", "note"),
    [
        (
            "", survey(offer("eastus", on_demand_dollars_per_hour=20.0), offer("westus3")),
            "westus3 is $5.31 an hour cheaper than eastus",
        ),
        (
            "machine: {spot: true}\n", survey(),
            "spot machines in eastus are evicted 5-10 % an hour; westus3: 0-5 %, $0.11 an hour dearer",
        ),
        (
            "machine: {spot: true}\n",
            survey(offer("eastus", eviction_band="20+"), offer("westus3", eviction_band="15-20",
                                                              spot_dollars_per_hour=2.0)),
            "spot machines in eastus are evicted 20+ % an hour; westus3: 15-20 %, $0.72 an hour cheaper",
        ),
        (
            "machine: {spot: true}\n", survey(offer(spot_history=history(9.0, 2.72))),
            "the dollar limit counts with today's spot price (in 90 days it was at most $9.00); machine.max_price",
        ),
        (
            "machine: {spot: true}\ncheckpoints: {relaunch: true}\n", survey(offer(eviction_band="15-20")),
            "a save every 16 minutes would lose least (Young-Daly); the relaunched recipe goes 384 minutes without one",
        ),
        (
            "", replace(survey(), providers=(Provider("Microsoft.DevTestLab", is_registered=False),)),
            "not registered with this subscription; `llamalift up` registers it: Microsoft.DevTestLab",
        ),
        (
            "machine: {regions: [eastus], zones: [2]}\n", survey(offer(zones=("1",), restricted_zones=("2",))),
            "eastus: zone 2 is restricted for this subscription; it can be had in zones 1",
        ),
        (
            "limits: {hours: 5}\n", None,
            "the run takes about 11.4 hours and would be stopped before its end, limits.hours: 5",
        ),
        (
            "checkpoints: {mirror: az://account/ckpt}\n", None,
            "what is copied to it stays, and costs, after `llamalift down`: az://account/ckpt",
        ),
        (
            "checkpoints: {mirror: az://account/ckpt}\n", None,
            "signs in to the mirror by its identity, which needs the role Storage Blob Data Contributor there",
        ),
        ("train: {fp16: true}\n", None, "bf16 is as fast on A100-80GB and cannot overflow as fp16 does"),
        ("train: {bf16: false}\n", None, "fp32 runs many times slower than bf16 on A100-80GB; leave out bf16: false"),
        ("train: {warmup_steps: 2000}\n", None, "warmup_steps is not below the 1,290 steps of the run: 2000"),
        (
            "train: {deepspeed: ./offload.json}\n", None,
            "offload is not needed here: ZeRO-3 alone takes 45 of 80 GB",
        ),
        (
            "train: {per_device_train_batch_size: 28}\n", None,
            "memory is tight: fewer rows in a pass and more passes train the same (per_device_train_batch_size)",
        ),
    ],
)  # fmt: skip
def test_what_is_worth_knowing_is_a_note(tmp_path: Path, more: str, said: Survey | None, note: str) -> None:
    """In one line each, with the figures; a note never refuses."""
    (tmp_path / "offload.json").write_text(OFFLOAD)
    assert any(note in found for found in planned(tmp_path, more, said).notes)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", survey()),
        ("", survey(offer("eastus"), offer("westus3", on_demand_dollars_per_hour=14.5))),
        ("machine: {spot: true, regions: [eastus]}\n", survey(offer(eviction_band=""))),
    ],
)
def test_nothing_is_noted_for_nothing(tmp_path: Path, more: str, said: Survey) -> None:
    """A few cents are no reason to move, and an unknown band is not compared."""
    words = " ".join(planned(tmp_path, more, said).notes)
    assert "cheaper" not in words
    assert "evicted" not in words


def test_a_deadline_within_a_day_has_a_backstop(tmp_path: Path) -> None:
    """An hour after it, by Azure's own schedule."""
    limits = replace(planned(tmp_path).limits, hours=3.0)
    switches = switches_of(limits, survey(), AT)
    assert switches.backstop_at == datetime.fromtimestamp(AT + 4 * 3600, UTC)
    assert (switches.ending, switches.why_no_backstop) == (Ending.DEALLOCATES, "")


def test_a_longer_run_has_none_and_says_why(tmp_path: Path) -> None:
    """The schedule is daily."""
    switches = switches_of(replace(planned(tmp_path).limits, hours=30.0), survey(), AT)
    assert switches.backstop_at is None
    assert "24 hours" in switches.why_no_backstop


@pytest.mark.parametrize(
    ("may", "ending"), [(True, Ending.DEALLOCATES), (False, Ending.POWERS_OFF), (None, Ending.UNKNOWN)]
)
def test_the_callers_rights_decide_what_a_limit_can_do(
    tmp_path: Path,
    may: bool | None,  # noqa: FBT001 (an answer)
    ending: Ending,
) -> None:
    """Only a machine with a role on its own group can stop its bill."""
    said = replace(survey(), rights=Rights(may_create=True, may_assign_roles=may))
    assert switches_of(planned(tmp_path).limits, said, AT).ending is ending


def test_other_disks_are_compared_by_save_and_by_dollars(tmp_path: Path) -> None:
    """A P60 saves in two fifths of a P30's time; a slower disk costs the machine's time as well."""
    (tmp_path / "run.yaml").write_text(BIG)
    [candidate] = study_of(load_run_file(tmp_path / "run.yaml")).candidates
    options = {option.disk.tier or option.disk.disk_type: option for option in disk_options(candidate.figures, 14.692)}
    assert list(options) == ["P40", "P60", "PremiumV2_LRS", "StandardSSD_LRS"]
    assert options["P60"].disk == DiskChoice(8192, "Premium_LRS", "P60", 500)
    assert options["P60"].save_seconds == pytest.approx(471.7 * 200 / 500, abs=0.1)
    dollars = [option.extra_dollars or 0.0 for option in options.values()]
    assert dollars[0] < dollars[1]
    assert options["StandardSSD_LRS"].save_seconds > 1500
    assert dollars[3] > 0


def test_a_disk_that_the_machine_cannot_use_is_not_offered(tmp_path: Path) -> None:
    """A small machine moves 85 MB/s whatever the disk."""
    (tmp_path / "run.yaml").write_text(BIG)
    [candidate] = study_of(load_run_file(tmp_path / "run.yaml")).candidates
    slow = replace(candidate.figures.size, disk_mb_per_second=85)
    disk = replace(candidate.figures.disk, mb_per_second=85)
    options = disk_options(replace(candidate.figures, size=slow, disk=disk), 14.692)
    assert {option.disk.disk_type for option in options} == {"PremiumV2_LRS", "StandardSSD_LRS"}
