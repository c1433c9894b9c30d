"""Which placements a run file allows, in which order, at which price, and what stands in the way of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import TransientError
from provisioning.survey_types import HEADROOM, Survey, Topic, Unanswered
from runs.errors import SpecError
from runs.plan.obstacles import Obstacle, Why
from runs.plan.placements import PricedPlacement, ranked_placements
from runs.spec.load import load_run_file
from tests.fakes.surveys import A100, FAMILY, SUBSCRIPTION, offer, quotas, region, survey

if TYPE_CHECKING:
    from pathlib import Path

BIG = """\
name: big
cloud: azure
model: {from: hf://huggyllama/llama-7b}
data: {from: hf://datasets/ehartford/WizardLM_alpaca_evol_instruct_70k_unfiltered/x.json}
"""
H100 = "Standard_NC80adis_H100_v5"


def ranked(folder: Path, more: str = "", said: Survey | None = None) -> tuple[PricedPlacement, ...]:
    """The placements of a 7B run whose run file has further lines."""
    (folder / "run.yaml").write_text(BIG + more)
    return ranked_placements(load_run_file(folder / "run.yaml"), said)


def only(folder: Path, more: str, said: Survey) -> Obstacle | None:
    """What stands in the way of the one placement of a run file."""
    [one] = ranked(folder, f"machine: {{regions: [eastus]{more}}}\n", said)
    return one.obstacle


def test_the_order_is_size_then_region_then_zone_then_no_zone(tmp_path: Path) -> None:
    """Exactly what the run file says, the first choice first."""
    machine = f"machine: {{other_sizes: [{H100}], regions: [eastus, westus3], zones: [2, 1]}}\n"
    found = [one.placement for one in ranked(tmp_path, machine)]
    assert [(one.size, one.region, one.zone) for one in found] == [
        (size, place, zone) for size in (A100, H100) for place in ("eastus", "westus3") for zone in ("2", "1", None)
    ]
    assert not any(one.spot for one in found)


def test_premium_v2_is_never_tried_without_a_zone(tmp_path: Path) -> None:
    """Such a disk attaches to machines in a zone only."""
    more = "machine: {regions: [eastus], zones: [1, 3]}\nstorage: {disk_type: PremiumV2_LRS}\n"
    assert [one.placement.zone for one in ranked(tmp_path, more)] == ["1", "3"]


def test_without_a_survey_prices_are_the_snapshots_and_nothing_stands_in_the_way(tmp_path: Path) -> None:
    """Nobody was asked, so nobody said no; the basis names the date."""
    first, *_, last = ranked(tmp_path)
    assert first.machine_dollars_per_hour == 14.692
    assert last.machine_dollars_per_hour == 17.63
    assert first.price_basis == "list prices of 2026-06-18"
    assert first.obstacle is None


def test_a_survey_prices_every_part(tmp_path: Path) -> None:
    """Machine, both disks, address and egress come from it, and the basis says when."""
    one = ranked(tmp_path, "machine: {spot: true}\n", survey())[0]
    assert (one.machine_dollars_per_hour, one.on_demand_dollars_per_hour) == (2.72, 14.692)
    assert one.price_basis == "Retail Prices API, 2026-11-25 15:00 UTC"
    assert one.dollars_per_hour == pytest.approx(2.72 + 0.1852 + 0.154 * 128 / 730 + 0.005)
    assert one.dollars is not None
    assert one.hours is not None
    assert one.on_demand_dollars is not None
    assert one.dollars == pytest.approx(one.dollars_per_hour * one.hours + one.egress_dollars)
    assert one.on_demand_dollars - one.dollars == pytest.approx((14.692 - 2.72) * one.hours)


def test_spot_without_a_price_counts_with_the_most_that_can_be_charged(tmp_path: Path) -> None:
    """The on-demand price, or the run file's own highest price."""
    said = survey(offer(spot_dollars_per_hour=None))
    [dear] = ranked(tmp_path, "machine: {regions: [eastus], spot: true}\n", said)
    [capped] = ranked(tmp_path, "machine: {regions: [eastus], spot: true, max_price: 4}\n", said)
    assert (dear.machine_dollars_per_hour, capped.machine_dollars_per_hour) == (14.692, 4)


@pytest.mark.parametrize(
    ("more", "said", "why", "fact"),
    [
        ("", survey(offer(quotas=quotas(family=0))), Why.QUOTA, f"{FAMILY} has 0 of 0 free, needed: 96"),
        (
            "", survey(offer(quotas=quotas(family=96, cores=100, used=10))), Why.QUOTA,
            f"{FAMILY} has 86 of 96 free and cores has 90 of 100 free, needed: 96",
        ),
        (
            ", spot: true", survey(offer(quotas=quotas(family=0, spot=48))), Why.QUOTA,
            "lowPriorityCores has 48 of 48 free, needed: 96",
        ),
        (
            "", survey(offer(is_offered=False, restriction="NotAvailableForSubscription", zones=())), Why.NOT_OFFERED,
            "the region does not offer it to this subscription (NotAvailableForSubscription)",
        ),
        (", spot: true", survey(offer(is_spot_capable=False)), Why.SPOT, "cannot be had as spot"),
        (
            ", spot: true, max_price: 2", survey(), Why.MAX_PRICE,
            "spot costs $2.72 an hour now, more than machine.max_price: 2",
        ),
        ("", survey(offer(), regions=(region(image=None),)), Why.IMAGE, "the region does not have the image"),
    ],
)  # fmt: skip
def test_each_obstacle_is_told_with_its_figures(tmp_path: Path, more: str, said: Survey, why: Why, fact: str) -> None:
    """The kind tells them apart, the fact has the numbers, the hint has one thing to change."""
    found = only(tmp_path, more, said)
    assert found is not None
    assert (found.why, found.fact) == (why, fact)
    assert found.hint


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", survey(offer(quotas=quotas(spot=0)))),
        (", spot: true", survey(offer(quotas=quotas(family=0, cores=0)))),
        ("", survey(offer(quotas=()))),
        ("", survey(offer(is_offered=None, is_spot_capable=False, zones=(), vcpus=0, quotas=()))),
        (", spot: true", survey(offer(is_offered=None, is_spot_capable=False, quotas=()))),
        ("", survey(offer("elsewhere"))),
        (
            "",
            survey(
                offer(),
                regions=(region(image=None),),
                unanswered=(Unanswered(Topic.IMAGE, "eastus", TransientError("no answer")),),
            ),
        ),
        ("", replace(survey(offer(), regions=(region(image=None),)), topics=HEADROOM | {Topic.PRICES})),
    ],
)
def test_what_does_not_count_or_is_not_known_is_no_obstacle(tmp_path: Path, more: str, said: Survey) -> None:
    """Spot has a pool of its own, and an answer that never came forbids nothing."""
    assert only(tmp_path, more, said) is None


def test_a_restricted_zone_stops_that_zone_only(tmp_path: Path) -> None:
    """The other zones, and no zone, are still worth a try."""
    said = survey(offer(zones=("1", "3"), restricted_zones=("2",)))
    found = ranked(tmp_path, "machine: {regions: [eastus], zones: [2, 1]}\n", said)
    assert [one.obstacle.why if one.obstacle else None for one in found] == [Why.ZONE, None, None]
    assert found[0].obstacle is not None
    assert found[0].obstacle.fact == "zone 2 is restricted for this subscription; it can be had in zones 1, 3"


def test_missing_quota_comes_with_the_command_that_asks_for_it(tmp_path: Path) -> None:
    """Family, region and the smallest limit that is enough: what is used now and what is needed."""
    found = only(tmp_path, "", survey(offer(quotas=quotas(family=48, used=12))))
    assert found is not None
    [request] = found.requests
    assert request.command == (
        f"az quota create --resource-name {FAMILY} --scope /subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/"
        "locations/eastus --limit-object value=108 --resource-type dedicated"
    )
    assert request.command in found.hint
    assert "portal.azure.com" in found.hint


def test_the_spot_pool_is_asked_for_as_low_priority(tmp_path: Path) -> None:
    """`az quota` knows two kinds of vCPUs."""
    found = only(tmp_path, ", spot: true", survey(offer(quotas=quotas(spot=0))))
    assert found is not None
    assert found.requests[0].command.endswith("--limit-object value=96 --resource-type lowPriority")


def test_another_size_that_cannot_hold_the_run_is_passed_over(tmp_path: Path) -> None:
    """Only the first size must do; what is wrong with the others is said."""
    found = ranked(tmp_path, "machine: {regions: [eastus], other_sizes: [Standard_NC24ads_A100_v4]}\n")
    assert found[0].obstacle is None
    assert found[1].obstacle is not None
    assert found[1].obstacle.why is Why.FIT
    assert "each GPU would need 136 GB" in found[1].obstacle.fact


def test_a_wish_for_gpus_means_every_size_that_has_just_those(tmp_path: Path) -> None:
    """`8xA100` has two sizes, with 40 and with 80 GB; the cheaper run comes first."""
    sizes = [one.placement.size for one in ranked(tmp_path, "machine: {gpus: 8xA100, regions: [eastus]}\n")]
    assert sorted(sizes) == ["Standard_ND96amsr_A100_v4", "Standard_ND96asr_v4"]
    [four] = ranked(tmp_path, "machine: {gpus: 4xa100-80gb, regions: [eastus]}\n")
    assert four.placement.size == A100


def test_a_free_choice_is_ranked_by_dollars_for_the_whole_run(tmp_path: Path) -> None:
    """What works comes first, the cheapest run of all at the top; what does not fit stays with its reason."""
    found = ranked(tmp_path, "machine: {size: auto, regions: [eastus, southcentralus]}\n")
    good = [one for one in found if one.obstacle is None]
    dollars = [one.dollars or 0 for one in good]
    assert dollars == sorted(dollars)
    assert found[: len(good)] == tuple(good)
    assert {one.obstacle.why for one in found if one.obstacle} == {Why.FIT}
    assert {one.placement.size for one in found} >= {A100, H100, "Standard_ND96isr_H100_v5"}


def test_a_wish_is_held_against_its_deadline_and_its_budget(tmp_path: Path) -> None:
    """Too slow and too dear are reasons, with the figures."""
    slow = ranked(tmp_path, "machine: {gpus: 4xA100-80GB}\nlimits: {hours: 5}\n")[0].obstacle
    dear = ranked(tmp_path, "machine: {gpus: 4xA100-80GB}\nlimits: {dollars: 50}\n")[0].obstacle
    assert slow is not None
    assert dear is not None
    assert (slow.why, dear.why) == (Why.DEADLINE, Why.BUDGET)
    assert slow.fact.endswith("limits.hours is: 5")
    assert dear.fact.endswith("limits.dollars is: 50")


def test_a_wish_takes_what_the_cloud_has(tmp_path: Path) -> None:
    """The cheapest run comes first among what the quota allows."""
    said = survey(
        offer(quotas=quotas(family=0)),
        offer(size=H100, vcpus=80, gpus=2, family="standardNCadsH100v5Family", quotas=quotas(),
              on_demand_dollars_per_hour=13.96),
    )  # fmt: skip
    found = ranked(tmp_path, "machine: {size: auto, regions: [eastus]}\nlimits: {dollars: 900}\n", said)
    assert found[0].obstacle is None
    assert {one.obstacle.why for one in found if one.placement.size == A100 and one.obstacle} == {Why.QUOTA}


@pytest.mark.parametrize(
    ("machine", "place", "suggestion"),
    [
        ("{gpus: 4xA100-80G}", "machine.gpus", "4xA100-80GB"),
        ("{other_sizes: [Standard_NC80adis_H100_v6]}", "machine.other_sizes[0]", H100),
    ],
)
def test_a_wish_that_no_size_fulfils_is_the_run_files_fault(
    tmp_path: Path, machine: str, place: str, suggestion: str
) -> None:
    """The place, what there is, and the nearest of it."""
    with pytest.raises(SpecError) as caught:
        ranked(tmp_path, f"machine: {machine}\n")
    [problem] = caught.value.problems
    assert (problem.path, problem.suggestion) == (place, suggestion)


def test_a_wish_that_nothing_can_hold_says_why(tmp_path: Path) -> None:
    """A model too large for every machine is refused before anything is asked."""
    text = BIG.replace("huggyllama/llama-7b", "a/b").replace(
        "{from: hf://a/b}", "{from: hf://a/b, parameters_billion: 900}"
    )
    (tmp_path / "run.yaml").write_text(text + "machine: {size: auto}\n")
    with pytest.raises(SpecError) as caught:
        ranked_placements(load_run_file(tmp_path / "run.yaml"), None)
    assert "each GPU would need" in caught.value.problems[0].message


def test_hours_unknown_leave_dollars_unknown_and_rank_by_the_step(tmp_path: Path) -> None:
    """A faster machine may be the cheaper one although its hour costs more."""
    (tmp_path / "run.yaml").write_text(BIG.replace("ehartford", "nobody") + "machine: {size: auto}\n")
    found = ranked_placements(load_run_file(tmp_path / "run.yaml"), None)
    good = [one for one in found if one.obstacle is None]
    assert all(one.dollars is None and one.on_demand_dollars is None for one in good)
    per_step = [one.dollars_per_step for one in good]
    assert per_step == sorted(per_step)
    assert replace(good[0], hours=1.0).dollars is not None
