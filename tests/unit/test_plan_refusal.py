"""A plan that cannot become a run: which error, which exit code, and the one thing to change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.boundary import exit_code
from provisioning.errors import (
    CapacityError,
    ProvisioningError,
    QuotaError,
    RequestRefusedError,
    RightsError,
    TransientError,
)
from provisioning.survey_types import Provider, Rights, Survey, Topic, Unanswered
from runs.errors import RunError, SpecError
from runs.plan.make import make_plan
from runs.plan.refusal import refusal_of
from runs.spec.load import load_run_file
from tests.fakes.surveys import offer, quotas, region, survey
from tests.unit.test_plan_placements import BIG

if TYPE_CHECKING:
    from pathlib import Path

NO_FAMILY = quotas(family=0)
HERE = "machine: {regions: [eastus]}\n"
NOT_OFFERED = offer(is_offered=False, restriction="NotAvailableForSubscription", zones=())


def refusal(folder: Path, more: str, said: Survey | None) -> RunError | ProvisioningError | None:
    """Why a 7B run cannot be launched."""
    (folder / "run.yaml").write_text(BIG + more)
    loaded = load_run_file(folder / "run.yaml")
    return refusal_of(loaded, make_plan(loaded, said))


@pytest.mark.parametrize(
    ("more", "said", "kind", "fact", "hint"),
    [
        (
            HERE, survey(offer(quotas=NO_FAMILY)), QuotaError,
            "Standard_NC96ads_A100_v4 cannot be had in eastus: StandardNCADSA100v4Family has 0 of 0 free, needed: 96",
            "az quota create --resource-name StandardNCADSA100v4Family",
        ),
        (HERE, survey(NOT_OFFERED), CapacityError, "(NotAvailableForSubscription)", "machine.regions"),
        (
            "machine: {regions: [eastus], zones: [2]}\nstorage: {disk_type: PremiumV2_LRS}\n",
            survey(offer(zones=("1",), restricted_zones=("2",))), CapacityError,
            "eastus zone 2: zone 2 is restricted", "machine.zones",
        ),
        (
            "machine: {regions: [eastus], spot: true}\n", survey(offer(is_spot_capable=False)), RequestRefusedError,
            "cannot be had as spot", "machine.spot: false",
        ),
        (HERE, survey(offer(), regions=(region(image=None),)), RequestRefusedError, "not have the", "machine.image"),
        (
            HERE, replace(survey(), rights=Rights(may_create=False, may_assign_roles=False)), RightsError,
            "you may not create what a run needs (a resource group, a network, a machine) in: Pay-As-You-Go",
            "ask for Contributor",
        ),
    ],
)  # fmt: skip
def test_the_account_and_the_cloud_refuse_with_3(  # noqa: PLR0917 (one column of the table each)
    tmp_path: Path, more: str, said: Survey, kind: type[ProvisioningError], fact: str, hint: str
) -> None:
    """Each by its own error, with the figures in the fact and one thing to change in the hint."""
    found = refusal(tmp_path, more, said)
    assert type(found) is kind
    assert exit_code(found) == 3
    assert fact in str(found)
    assert hint in found.hint


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("machine: {regions: [eastus], spot: true, max_price: 1}\n", "machine.max_price"),
        ("machine: {gpus: 4xA100-80GB}\nlimits: {hours: 2}\n", "limits.hours"),
        ("machine: {gpus: 4xA100-80GB}\nlimits: {dollars: 2}\n", "limits.dollars"),
    ],
)
def test_what_the_run_file_rules_out_refuses_with_2(tmp_path: Path, more: str, place: str) -> None:
    """The place in the run file, as for any other mistake in it."""
    found = refusal(tmp_path, more, survey())
    assert isinstance(found, SpecError)
    assert exit_code(found) == 2
    assert [problem.path for problem in found.problems] == [place]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", None),
        ("", survey()),
        ("", survey(offer(quotas=NO_FAMILY), offer("westus3"))),
        ("", replace(survey(), rights=Rights(may_create=None, may_assign_roles=False))),
        ("", replace(survey(), providers=(Provider("Microsoft.Compute", is_registered=False),))),
        ("", survey(unanswered=(Unanswered(Topic.QUOTA, "eastus", TransientError("no answer")),))),
        ("limits: {hours: 2}\n", survey()),
    ],
)
def test_one_open_place_is_enough_and_warnings_change_nothing(tmp_path: Path, more: str, said: Survey | None) -> None:
    """What is unknown, unregistered or only a warning never refuses."""
    assert refusal(tmp_path, more, said) is None


def test_a_refused_wish_tells_of_the_best_that_would_do(tmp_path: Path) -> None:
    """Not of a machine that is too small anyway."""
    found = refusal(
        tmp_path, "machine: {size: auto, regions: [eastus]}\nlimits: {dollars: 100}\n", survey(offer(quotas=NO_FAMILY))
    )
    assert isinstance(found, SpecError)
    assert [problem.path for problem in found.problems] == ["limits.dollars"]


@pytest.mark.parametrize(
    ("more", "may_assign_roles", "is_refused"),
    [
        ("limits: {hours: 40}\n", False, True),
        ("limits: {hours: 40, accept_power_off: true}\n", False, False),
        ("limits: {hours: 40}\n", True, False),
        ("limits: {hours: 40}\n", None, False),
        ("limits: {hours: 20}\n", False, False),
    ],
)
def test_a_long_run_that_nothing_would_end_must_be_accepted(
    tmp_path: Path,
    more: str,
    may_assign_roles: bool | None,  # noqa: FBT001 (an answer)
    is_refused: bool,  # noqa: FBT001 (what is expected)
) -> None:
    """Beyond a day, without the right to end its own bill, the machine would be billed however long nobody looks."""
    said = replace(survey(), rights=Rights(may_create=True, may_assign_roles=may_assign_roles))
    found = refusal(tmp_path, more, said)
    assert (found is not None) is is_refused
    if found is not None:
        assert isinstance(found, SpecError)
        assert [problem.path for problem in found.problems] == ["limits.hours"]
