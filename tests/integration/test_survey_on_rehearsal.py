"""What the rehearsal cloud is asked before anything is created, over the real SDKs, and what is made of its answers."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.errors import RightsError, SignInError, ThrottledError, TransientError
from provisioning.rehearsal.arm.regions import ZONAL
from provisioning.rehearsal.cloud import RehearsalCloud
from provisioning.rehearsal.service import change_settings, script_faults
from provisioning.survey_types import HEADROOM, Rights, SizeOffer, Survey, SurveyRequest, Topic
from provisioning.types import ImageReference
from tests.fakes.rehearsed import HTTP_LOG, IMAGE, calls, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.service import EmulatorHandle

A100, BIG, SMALL = "Standard_NC96ads_A100_v4", "Standard_ND96asr_v4", "Standard_D2s_v5"
REQUEST = SurveyRequest((A100, BIG, SMALL), ("eastus", "southcentralus"), IMAGE, 1024, "Premium_LRS")
SETTINGS: dict[str, Any] = {
    "regional_quota_limits": {},
    "size_restrictions": [],
    "caller_role": "Owner",
    "unregistered_providers": [],
    "spot_prices": {},
    "eviction_bands": {},
    "price_page_items": 1000,
}


@pytest.fixture(autouse=True)
def _default_settings(emulator: EmulatorHandle) -> Iterator[None]:
    yield
    change_settings(emulator, **SETTINGS)


def offer(survey: Survey, size: str = A100, region: str = "eastus") -> SizeOffer:
    """One of the offers."""
    return next(each for each in survey.offers if (each.size, each.region) == (size, region))


@pytest.fixture(scope="module")
def whole(emulator: EmulatorHandle) -> Survey:
    """A survey of an untouched cloud."""
    return RehearsalCloud(emulator).survey(REQUEST, silent)


def test_everything_gets_an_answer(whole: Survey) -> None:
    """One offer for each region and size, regions first, and nothing unanswered."""
    assert whole.unanswered == ()
    assert [(each.region, each.size) for each in whole.offers] == [
        (region, size) for region in REQUEST.regions for size in REQUEST.sizes
    ]
    assert whole.rights == Rights(may_create=True, may_assign_roles=True)
    assert {each.namespace: each.is_registered for each in whole.providers} == {
        "Microsoft.Compute": True,
        "Microsoft.Network": True,
        "Microsoft.Resources": True,
        "Microsoft.Authorization": True,
        "Microsoft.DevTestLab": False,
        "Microsoft.ResourceGraph": True,
    }


def test_what_a_size_is_and_where(whole: Survey) -> None:
    """Zones, GPUs, vCPUs and the three limits that count, the family's own first."""
    here, there = offer(whole), offer(whole, region="southcentralus")
    assert (here.is_offered, here.vcpus, here.gpus, here.zones) == (True, 96, 4, ("1", "2", "3"))
    assert there.zones == ("1", "3")
    assert [(quota.name, quota.limit, quota.used) for quota in here.quotas] == [
        ("StandardNCADSA100v4Family", 192, 0),
        ("cores", 350, 0),
        ("lowPriorityCores", 192, 0),
    ]
    assert offer(whole, BIG).quotas[0].free == 0


def test_what_things_cost(whole: Survey) -> None:
    """Linux, on demand and spot, a tier of disk by the hour, an address, egress after the free part."""
    assert (offer(whole).on_demand_dollars_per_hour, offer(whole).spot_dollars_per_hour) == (14.692, 2.718)
    # The feed spells this size differently.
    assert offer(whole, BIG).on_demand_dollars_per_hour == 27.197
    region = whole.regions[0]
    assert region.disk_dollars_per_hour == pytest.approx(135.17 / 730)
    assert region.os_disk_dollars_per_gib_month == pytest.approx(19.71 / 128)
    assert (region.address_dollars_per_hour, region.egress_dollars_per_gib) == (0.005, 0.087)


def test_spot_market(cloud: RehearsalCloud, emulator: EmulatorHandle, whole: Survey) -> None:
    """Ninety days of prices that end at today's, and how often machines are taken back."""
    history = offer(whole).spot_history
    assert history[-1].dollars_per_hour == offer(whole).spot_dollars_per_hour
    assert 89 <= (history[-1].since - history[0].since).days <= 90
    change_settings(emulator, eviction_bands={f"{A100}/eastus": "20+", A100: "0-5"})
    survey = cloud.survey(replace(REQUEST, topics=frozenset({Topic.SPOT})), silent)
    assert [offer(survey, region=region).eviction_band for region in REQUEST.regions] == ["20+", "0-5"]


def test_image_is_pinned_or_missing(cloud: RehearsalCloud, whole: Survey) -> None:
    """`latest` becomes a version; a version or an image that is not on offer is None, not an error."""
    assert whole.regions[0].image == replace(IMAGE, version="24.04.2026072901")
    for image in (replace(IMAGE, version="24.04.1"), ImageReference("nobody", "nothing", "0")):
        survey = cloud.survey(replace(REQUEST, image=image, topics=frozenset({Topic.IMAGE})), silent)
        assert [region.image for region in survey.regions] == [None, None]
        assert survey.unanswered == ()


def test_prices_come_in_pages(cloud: RehearsalCloud, emulator: EmulatorHandle, whole: Survey) -> None:
    """Every page is read, whatever its size."""
    change_settings(emulator, price_page_items=3)
    survey = cloud.survey(replace(REQUEST, topics=frozenset({Topic.PRICES})), silent)
    assert survey.regions[0].egress_dollars_per_gib == whole.regions[0].egress_dollars_per_gib
    assert [each.spot_dollars_per_hour for each in survey.offers] == [
        each.spot_dollars_per_hour for each in whole.offers
    ]


def test_many_regions_are_asked_in_groups(cloud: RehearsalCloud, caplog: pytest.LogCaptureFixture) -> None:
    """A question with too many names would be refused; none is lost."""
    cloud.account()
    with caplog.at_level(logging.INFO, HTTP_LOG):
        survey = cloud.survey(replace(REQUEST, regions=ZONAL, topics=frozenset({Topic.PRICES})), silent)
    # Machines, disks, addresses and egress, for ten of the nineteen regions and for the others.
    assert len(calls(caplog, "GET")) == 8
    assert all(region.address_dollars_per_hour for region in survey.regions)
    assert offer(survey, region=ZONAL[-1]).on_demand_dollars_per_hour == 14.692


def test_limits_and_spot_prices_by_region(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """Regions differ in what is left and in what spot costs."""
    change_settings(
        emulator,
        regional_quota_limits={"southcentralus": {"cores": 50}},
        spot_prices={A100: 3.0, f"{A100}/southcentralus": 2.0},
    )
    survey = cloud.survey(REQUEST, silent)
    assert [offer(survey, region=region).quotas[1].limit for region in REQUEST.regions] == [350, 50]
    assert [offer(survey, region=region).spot_dollars_per_hour for region in REQUEST.regions] == [3.0, 2.0]


def test_headroom_is_two_calls_for_each_region(cloud: RehearsalCloud, caplog: pytest.LogCaptureFixture) -> None:
    """The narrow question before an attempt asks for sizes and limits, and for nothing else."""
    cloud.account()
    with caplog.at_level(logging.INFO, HTTP_LOG):
        survey = cloud.survey(replace(REQUEST, topics=HEADROOM), silent)
    asked = sorted(re.sub(".*/Microsoft.Compute/", "", call) for call in calls(caplog, "GET", "POST"))
    assert asked == ["locations/eastus/usages", "locations/southcentralus/usages", "skus", "skus"]
    assert offer(survey).quotas[0].free == 192
    assert (survey.unanswered, survey.rights.may_create, survey.regions[0].image) == ((), None, None)


def test_restrictions_are_seen(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """A restricted zone leaves the others, a restricted region leaves nothing, and Azure's reason is kept."""
    small = "Standard_NC24ads_A100_v4"
    change_settings(
        emulator,
        size_restrictions=[
            {"size": small, "region": "eastus", "zones": ["2"]},
            {"size": A100, "region": "eastus", "reason": "QuotaId"},
        ],
    )
    survey = cloud.survey(replace(REQUEST, sizes=(small, A100), topics=HEADROOM), silent)
    zoned, gone = offer(survey, small), offer(survey, A100)
    assert (zoned.is_offered, zoned.zones, zoned.restricted_zones) == (True, ("1", "3"), ("2",))
    assert (gone.is_offered, gone.zones, gone.restriction) == (False, (), "QuotaId")


@pytest.mark.parametrize(
    ("role", "rights"),
    [("Contributor", Rights(True, False)), ("Reader", Rights(False, False))],  # noqa: FBT003
)
def test_role_decides_the_rights(cloud: RehearsalCloud, emulator: EmulatorHandle, role: str, rights: Rights) -> None:
    """What a role gives and takes back is computed as Azure computes it."""
    change_settings(emulator, caller_role=role)
    assert cloud.survey(replace(REQUEST, topics=frozenset({Topic.RIGHTS})), silent).rights == rights


def test_provider_that_waits_to_be_registered(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """A new subscription lacks providers until someone registers them."""
    change_settings(emulator, unregistered_providers=["Microsoft.Network"])
    survey = cloud.survey(replace(REQUEST, topics=frozenset({Topic.PROVIDERS})), silent)
    assert [each.namespace for each in survey.providers if not each.is_registered] == [
        "Microsoft.Network",
        "Microsoft.DevTestLab",
    ]


def test_unregistered_compute_hides_sizes_and_limits(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """What the provider would have said is unanswered; that it waits to be registered is said by the providers."""
    change_settings(emulator, unregistered_providers=["Microsoft.Compute"])
    topics = frozenset({Topic.PROVIDERS, *HEADROOM})
    survey = cloud.survey(replace(REQUEST, regions=("eastus",), topics=topics), silent)
    assert [each.topic for each in survey.unanswered] == [Topic.SIZES, Topic.QUOTA]
    assert "az provider register" in survey.unanswered[0].error.hint
    assert not survey.providers[0].is_registered


def test_permissions_come_in_pages(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """Rights are the sum of all pages."""
    path = f"/subscriptions/{emulator.subscription_id}/providers/Microsoft.Authorization/permissions"
    link = f"{emulator.base_url}{path}?api-version=2022-04-01&$skiptoken=2"
    page = {"value": [{"actions": ["*/read"], "notActions": []}], "nextLink": link}
    script_faults(emulator, {"method": "GET", "path": "/permissions$", "status": 200, "body": page})
    rights = cloud.survey(replace(REQUEST, topics=frozenset({Topic.RIGHTS})), silent).rights
    assert rights == Rights(may_create=True, may_assign_roles=True)


def test_failed_question_leaves_the_others(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """Each failure is named with its place; what it would have said is unknown, not false."""
    script_faults(
        emulator,
        {"method": "GET", "path": "locations/eastus/usages", "drop": True, "count": 0},
        {
            "method": "GET",
            "path": "/skus$",
            "status": 403,
            "count": 0,
            "body": {"error": {"code": "AuthorizationFailed"}},
        },
        {"method": "GET", "path": "/retail/prices$", "status": 429, "count": 0, "headers": {"retry-after-ms": "10"}},
    )
    survey = cloud.survey(REQUEST, silent)
    found = {(each.topic, each.region): type(each.error) for each in survey.unanswered}
    assert found == {
        (Topic.QUOTA, "eastus"): TransientError,
        (Topic.SIZES, "eastus"): RightsError,
        (Topic.SIZES, "southcentralus"): RightsError,
        (Topic.PRICES, ""): ThrottledError,
    }
    assert all(each.error.hint for each in survey.unanswered)
    one = offer(survey, region="southcentralus")
    assert (one.is_offered, one.vcpus, one.on_demand_dollars_per_hour) == (None, 0, None)
    # Without the size's family the regional limits still count.
    assert [quota.name for quota in one.quotas] == ["cores", "lowPriorityCores"]


def test_hasty_price_feed_is_waited_for(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """A few 429s in a row are sat out."""
    fault = {"path": "/retail/prices$", "status": 429, "count": 2, "headers": {"retry-after-ms": "10"}}
    script_faults(emulator, {"method": "GET", **fault})
    survey = cloud.survey(replace(REQUEST, topics=frozenset({Topic.PRICES})), silent)
    assert survey.unanswered == ()


def test_rejected_token_ends_the_survey(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """Without a sign-in no question has an answer, and the user hears that alone."""
    cloud.account()
    body = {"error": {"code": "ExpiredAuthenticationToken", "message": "too old"}}
    script_faults(emulator, {"method": "GET", "path": "/usages$", "status": 401, "count": 0, "body": body})
    with pytest.raises(SignInError):
        cloud.survey(replace(REQUEST, topics=HEADROOM), silent)
