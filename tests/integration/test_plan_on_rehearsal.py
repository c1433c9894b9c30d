"""`llamalift plan` against the rehearsal cloud, over the real SDKs: what it says, what it refuses, what it keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cli.boundary import exit_code
from provisioning.errors import CapacityError, QuotaError, RightsError, SignInError
from provisioning.rehearsal.service import (
    change_settings,
    ensure_running,
    logged_requests,
    script_faults,
    stop_if_empty,
)
from runs.plan.inform import asked_facts, kept_facts
from runs.plan.make import make_plan
from runs.plan.obstacles import Why
from runs.plan.refusal import refusal_of
from runs.spec.load import LoadedRunFile, load_run_file
from runs.state_folder import StateFolder
from tests.fakes.rehearsed import silent
from tests.unit.test_plan_placements import BIG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.errors import ProvisioningError
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from runs.plan.plan import Plan

A100, FAMILY = "Standard_NC96ads_A100_v4", "StandardNCADSA100v4Family"
SETTINGS: dict[str, Any] = {
    "quota_limits": {},
    "regional_quota_limits": {},
    "size_restrictions": [],
    "caller_role": "Owner",
    "unregistered_providers": [],
}
HERE = "machine: {regions: [eastus]}\n"


@pytest.fixture(autouse=True)
def _default_settings(emulator: EmulatorHandle) -> Iterator[None]:
    yield
    change_settings(emulator, **SETTINGS)


def loaded(folder: Path, more: str = "") -> LoadedRunFile:
    """The run file of a 7B model with further lines."""
    (folder / "run.yaml").write_text(BIG + more)
    return load_run_file(folder / "run.yaml")


def asked(cloud: RehearsalCloud, folder: Path, more: str = "", *, refresh: bool = False) -> Plan:
    """A plan with what the rehearsal cloud says; answers are kept in the folder."""
    run = loaded(folder, more)
    return make_plan(run, facts=asked_facts(cloud, run, StateFolder(folder / "state"), silent, refresh=refresh))


def test_an_untouched_cloud_has_room(cloud: RehearsalCloud, tmp_path: Path) -> None:
    """Everything is known, nothing stands in the way, and the first choice is taken."""
    plan = asked(cloud, tmp_path)
    assert plan.survey is not None
    assert plan.survey.unanswered == ()
    assert [one.obstacle for one in plan.placements] == [None, None, None]
    assert plan.chosen.placement.region == "eastus"
    assert plan.cost.machine_per_hour == 14.692
    assert plan.cost.basis.startswith("Retail Prices API, ")


@pytest.mark.parametrize(
    ("settings", "more", "kind", "words"),
    [
        ({"quota_limits": {FAMILY: 0}}, HERE, QuotaError, f"{FAMILY} has 0 of 0 free, needed: 96"),
        (
            {"quota_limits": {"lowPriorityCores": 48}}, "machine: {regions: [eastus], spot: true}\n", QuotaError,
            "lowPriorityCores has 48 of 48 free, needed: 96",
        ),
        (
            {"size_restrictions": [{"size": A100, "region": "eastus"}]}, HERE, CapacityError,
            "the region does not offer it to this subscription (NotAvailableForSubscription)",
        ),
        (
            {"size_restrictions": [{"size": A100, "region": "eastus", "zones": ["2"]}]},
            "machine: {regions: [eastus], zones: [2]}\nstorage: {disk_type: PremiumV2_LRS}\n", CapacityError,
            "zone 2 is restricted for this subscription; it can be had in zones 1, 3",
        ),
        ({"caller_role": "Reader"}, HERE, RightsError, "you may not create what a run needs"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_refused_with_3(  # noqa: PLR0917 (one column of the table each)
    cloud: RehearsalCloud,
    emulator: EmulatorHandle,
    tmp_path: Path,
    settings: dict[str, Any],
    more: str,
    kind: type[ProvisioningError],
    words: str,
) -> None:
    """Quota, restriction, zone and rights, each by its own error with its figures."""
    change_settings(emulator, **settings)
    found = refusal_of(loaded(tmp_path, more), asked(cloud, tmp_path, more))
    assert type(found) is kind
    assert exit_code(found) == 3
    assert words in str(found)
    assert found.hint


def test_the_next_region_is_taken_when_the_first_has_no_room(
    cloud: RehearsalCloud, emulator: EmulatorHandle, tmp_path: Path
) -> None:
    """Side by side: the one that is blocked keeps its reason."""
    change_settings(emulator, regional_quota_limits={"eastus": {FAMILY: 0}})
    plan = asked(cloud, tmp_path)
    assert plan.chosen.placement.region == "westus3"
    assert [one.obstacle.why if one.obstacle else None for one in plan.placements] == [Why.QUOTA, None, None]


def test_few_rights_and_an_unregistered_provider_only_warn(
    cloud: RehearsalCloud, emulator: EmulatorHandle, tmp_path: Path
) -> None:
    """A Contributor's machine cannot deallocate itself; that is said, and the run may go."""
    change_settings(emulator, caller_role="Contributor", unregistered_providers=["Microsoft.Network"])
    plan = asked(cloud, tmp_path)
    assert refusal_of(loaded(tmp_path), plan) is None
    assert plan.survey is not None
    assert plan.survey.rights.may_assign_roles is False
    assert any("registers it: " in note and "Microsoft.Network" in note for note in plan.notes)


def test_answers_are_kept_and_asked_anew_on_request(
    cloud: RehearsalCloud, emulator: EmulatorHandle, tmp_path: Path
) -> None:
    """The second plan asks nobody but who pays; `--refresh` asks everything; `--offline` not even that."""
    first = asked(cloud, tmp_path)
    before = logged_requests(emulator)[-1].number
    change_settings(emulator, quota_limits={FAMILY: 0})
    kept = asked(cloud, tmp_path)
    assert kept.survey == first.survey
    assert len(logged_requests(emulator, before)) <= 1
    assert asked(cloud, tmp_path, refresh=True).chosen.obstacle is not None
    before = logged_requests(emulator)[-1].number
    offline = kept_facts(loaded(tmp_path), StateFolder(tmp_path / "state"))
    assert offline.is_offline
    assert make_plan(loaded(tmp_path), facts=offline).chosen.obstacle is not None
    assert logged_requests(emulator, before) == []


def test_what_got_no_answer_is_said_and_not_kept(
    cloud: RehearsalCloud, emulator: EmulatorHandle, tmp_path: Path
) -> None:
    """The rest of the plan stands, and the next one asks again."""
    body = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    script_faults(emulator, {"method": "GET", "path": "/usages$", "status": 403, "count": 0, "body": body})
    plan = asked(cloud, tmp_path, HERE)
    assert any("no answer about quota in eastus" in note for note in plan.notes)
    assert plan.chosen.obstacle is None
    script_faults(emulator)
    assert not any("no answer" in note for note in asked(cloud, tmp_path, HERE).notes)


def test_an_expired_sign_in_is_told_alone(cloud: RehearsalCloud, emulator: EmulatorHandle, tmp_path: Path) -> None:
    """Without it nothing has an answer; nothing is kept."""
    body = {"error": {"code": "ExpiredAuthenticationToken", "message": "The access token expiry UTC time has passed."}}
    script_faults(emulator, {"method": "GET", "path": "/subscriptions", "status": 401, "count": 0, "body": body})
    with pytest.raises(SignInError):
        asked(cloud, tmp_path)
    assert not (tmp_path / "state" / "facts").exists()


TINY = """\
name: tiny
machine: {size: Standard_D2s_v5, regions: [eastus]}
model: {from: hf://a/b, parameters_billion: 0.001}
data: {from: ./rows.json}
"""


def llamalift(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as its own process in `folder`, with its state there."""
    return subprocess.run(
        [sys.executable, "-c", "from cli.app import main; main()", *words],
        capture_output=True,
        check=False,
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "NO_COLOR": "1",
            "LLAMALIFT_STATE_DIR": str(folder / "state"),
        },
        text=True,
    )


def test_the_command_asks_the_rehearsal_cloud_and_creates_nothing(tmp_path: Path) -> None:
    """No quota: the table all the same, exit code 3, the command to ask with; then offline, without anybody."""
    (tmp_path / "rows.json").write_text('[{"instruction": "Say one.", "output": "One."}]')
    (tmp_path / "run.yaml").write_text(TINY)
    state = StateFolder(tmp_path / "state")
    handle = ensure_running(state.root)
    change_settings(handle, quota_limits={"cores": 1})
    refused = llamalift("plan", folder=tmp_path)
    assert refused.returncode == 3, refused.stderr
    assert "no quota" in refused.stdout
    assert "cores has 1 of 1 free, needed: 2" in refused.stderr
    assert "az quota create --resource-name cores" in refused.stderr
    assert "next:" not in refused.stderr
    change_settings(handle, quota_limits={})
    works = llamalift("plan", "--refresh", folder=tmp_path)
    assert works.returncode == 0, works.stderr
    assert "next: llamalift up run.yaml" in works.stderr
    assert stop_if_empty(handle), "the commands have created something"
    offline = llamalift("plan", "--offline", "--json", folder=tmp_path)
    assert offline.returncode == 0
    said = json.loads(offline.stdout)
    assert said["can_be_launched"] is True
    assert said["cloud_said"]["is_offline"] is True
    assert said["cost"]["basis"].startswith("rehearsed Retail Prices API")
