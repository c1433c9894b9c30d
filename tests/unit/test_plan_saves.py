"""The saves of a plan: drawn, added up, and bounded by what a loss may cost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from cli.plan_saves import draw_ruler, percent
from runs.placing.decide import plan_at
from runs.plan.document import plan_json
from runs.plan.make import make_plan
from runs.plan.saves import Decider, rate_from_band
from runs.plan.sizes import find_size
from runs.plan.two_speed import scratch_save_seconds
from runs.spec.load import load_run_file
from tests.fakes.surveys import AT, offer, survey
from tests.unit.test_plan_placements import BIG

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.survey_types import Survey
    from runs.plan.plan import Plan
    from runs.plan.saves import SavePlan
    from runs.spec.run_file import RunFile

SPOT = "machine: {spot: true}\n"


def planned(folder: Path, more: str = "", said: Survey | None = None, *, scratch: str = "none") -> Plan:
    """The plan of a 7B run whose run file has further lines."""
    (folder / "run.yaml").write_text(f"{BIG}{more}storage: {{scratch: {scratch}}}\n")
    return make_plan(load_run_file(folder / "run.yaml"), said)


def load_run_file_of(folder: Path) -> RunFile:
    """The 7B run file."""
    (folder / "run.yaml").write_text(BIG)
    return load_run_file(folder / "run.yaml").spec


def saves(folder: Path, more: str = "", said: Survey | None = None) -> SavePlan:
    """Its saves."""
    found = planned(folder, more, said).saves
    assert found is not None
    return found


@pytest.mark.parametrize(("band", "rate"), [("0-5", 0.05), ("5-10", 0.1), ("15-20", 0.2), ("20+", 0.2), ("", None)])
def test_a_band_counts_with_its_worse_end(band: str, rate: float | None) -> None:
    """Per cent an hour, as Azure tells it; without one nothing is known."""
    assert rate_from_band(band) == rate


@pytest.mark.parametrize(
    ("more", "said", "rate", "decides"),
    [
        ("", survey(), None, Decider.SHARE),
        (SPOT, survey(offer(eviction_band="15-20")), 0.2, Decider.EVICTIONS),
        (SPOT, survey(offer(eviction_band="")), None, Decider.SHARE),
        (SPOT, None, None, Decider.SHARE),
        (SPOT + "checkpoints: {evictions_per_hour: 0}\n", survey(), 0, Decider.SHARE),
        (SPOT + "checkpoints: {evictions_per_hour: 0.001}\n", survey(), 0.001, Decider.SHARE),
        ("checkpoints: {evictions_per_hour: 0.5}\n", None, 0.5, Decider.EVICTIONS),
        ("checkpoints: {max_share: 1}\n", survey(), None, Decider.LADDER),
        (SPOT + "checkpoints: {relaunch: true}\n", survey(), None, Decider.RELAUNCH),
    ],
)  # fmt: skip
def test_which_bound_decides(
    tmp_path: Path, more: str, said: Survey | None, rate: float | None, decides: Decider
) -> None:
    """Evictions count on spot, or where the run file tells of them, and win over the share where they are closer."""
    made = planned(tmp_path, more, said)
    assert made.evictions_per_hour == rate
    assert made.saves is not None
    assert made.saves.decides is decides
    if decides is Decider.EVICTIONS:
        assert made.saves.share > made.saves.max_share
        assert made.saves.at_risk_seconds <= (made.saves.eviction_interval or 0) * made.saves.step_seconds


def test_evictions_cost_time_and_so_dollars(tmp_path: Path) -> None:
    """More saves make the run longer; estimate, price and limits count with that."""
    calm, rough = (planned(tmp_path, SPOT, survey(offer(eviction_band=band))) for band in ("", "15-20"))
    assert calm.time is not None
    assert rough.time is not None
    assert rough.time.saving_seconds == pytest.approx(calm.time.saving_seconds * 10 / 3)
    assert (rough.cost.total or 0) > (calm.cost.total or 0)
    assert rough.deadline_hours > calm.deadline_hours


def test_each_place_is_bounded_by_its_own_evictions(tmp_path: Path) -> None:
    """A run that moves to a calmer region saves less often there."""
    (tmp_path / "run.yaml").write_text(BIG + SPOT)
    loaded = load_run_file(tmp_path / "run.yaml")
    said = survey(offer("eastus", eviction_band="20+"), offer("westus3", eviction_band="0-5"))
    made = [plan_at(loaded, one.placement, said) for one in make_plan(loaded, said).placements[:2]]
    assert [one.evictions_per_hour for one in made] == [0.2, 0.05]
    counts = [len(one.saves.steps) for one in made if one.saves is not None]
    assert counts[0] > counts[1]


def test_the_literal_recipe_is_told_with_its_price(tmp_path: Path) -> None:
    """Steps trained again, hours and dollars against the default way; the sums hold."""
    usual, literal = planned(tmp_path), planned(tmp_path, "checkpoints: {relaunch: true}\n")
    assert usual.time is not None
    assert literal.time is not None
    assert literal.saves is not None
    relaunching = literal.saves.relaunching
    assert relaunching is not None
    assert relaunching.recomputed_steps == 641
    assert literal.time.training_seconds == pytest.approx((1290 + 641) * literal.time.step_seconds)
    longer = literal.time.total_seconds - usual.time.total_seconds
    assert relaunching.extra_seconds == pytest.approx(longer)
    assert literal.saves.at_risk_seconds == pytest.approx(800 * literal.time.step_seconds)


@pytest.mark.parametrize(("save_steps", "until"), [(700, 700), (640, 640), (1300, 650)])
def test_a_relaunched_recipe_risks_its_first_save_steps(tmp_path: Path, save_steps: int, until: int) -> None:
    """The first launch that saves at all goes longest without a save; what it loses at its end is less."""
    made = saves(tmp_path, f"train: {{save_steps: {save_steps}}}\ncheckpoints: {{relaunch: true}}\n")
    assert (made.steps[0], made.at_risk_until) == (until, until)


def test_json_has_what_the_screen_draws(tmp_path: Path) -> None:
    """Steps, bytes, minutes, bounds, and what is at risk at every moment."""
    said = survey(offer(eviction_band="15-20"))
    document: dict[str, Any] = plan_json(planned(tmp_path, SPOT, said), now=AT)["saves"]
    assert document["decides"] == "evictions"
    assert (document["share_interval"], document["eviction_interval"]) == (312, 143)
    assert document["count"] == len(document["steps"]) == len(document["risks"]) == 10
    assert document["total_bytes"] == 10 * document["save_bytes"]
    worst = max(document["risks"], key=lambda risk: risk["seconds"])
    assert document["worst_loss_seconds"] == worst["seconds"]
    assert document["worst_loss_dollars"] == worst["dollars"] > 0
    assert (worst["from_step"], worst["to_step"]) == (0, 129)
    literal = plan_json(planned(tmp_path, "checkpoints: {relaunch: true}\n"), now=AT)["saves"]
    assert [launch["save_steps"] for launch in literal["relaunching"]["launches"]] == [800, 400, 50, 25, 12, 6]
    assert literal["relaunching"]["extra_dollars"] > 0


def test_with_scratch_training_waits_less_and_the_drain_is_told(tmp_path: Path) -> None:
    """A save holds up for what scratch takes; it is durable a disk's save later, which counts in the worst loss."""
    usual, fast = planned(tmp_path), planned(tmp_path, scratch="auto")
    assert usual.saves is not None
    assert fast.saves is not None
    assert fast.saves.save_seconds == pytest.approx(24.6, abs=0.1)
    assert fast.saves.drain_seconds == usual.saves.save_seconds == fast.save_seconds
    assert len(fast.saves.steps) > len(usual.saves.steps)
    assert fast.saves.share < usual.saves.share
    assert fast.saves.worst_loss_seconds == pytest.approx(
        fast.saves.at_risk_seconds + fast.saves.save_seconds + fast.saves.drain_seconds
    )
    assert fast.time is not None
    assert fast.time.saving_seconds == pytest.approx(fast.saves.total_seconds + fast.saves.drain_seconds)


def test_no_save_is_planned_before_the_last_one_is_durable(tmp_path: Path) -> None:
    """Where saving could take all the time in the world, the drain keeps saves apart; the last step is always saved."""
    made = planned(tmp_path, "checkpoints: {max_share: 1, shrink: {from: 4}}\n", scratch="auto").saves
    assert made is not None
    assert made.decides is Decider.DRAIN
    stretches = [after - before for before, after in pairwise(made.steps)]
    assert min(stretches[:-1]) * made.step_seconds >= made.drain_seconds
    assert made.steps[-1] == 1290


def test_scratch_that_holds_no_two_checkpoints_is_not_planned_with(tmp_path: Path) -> None:
    """As the trainer will do."""
    spec = load_run_file_of(tmp_path)
    size = find_size("Standard_NC96ads_A100_v4")
    assert size is not None
    assert scratch_save_seconds(spec, size, 94 * 10**9) == pytest.approx(24.5, abs=0.1)
    assert scratch_save_seconds(spec, size, 2000 * 10**9) is None
    assert scratch_save_seconds(spec, replace(size, local_nvme_gb=0), 94 * 10**9) is None


@pytest.mark.parametrize("columns", [12, 40, 66, 106])
def test_the_ruler_fills_its_room(columns: int) -> None:
    """From the first step to the last, a mark where it saves, another for several in one column."""
    ruler = draw_ruler((430, 860, 1288, 1289, 1290), 1290, columns)
    assert len(ruler) == columns
    assert ruler.startswith("0-")
    assert ruler.endswith("#1,290")
    assert ruler.count("|") == 2


def test_every_step_of_a_short_run_has_its_mark() -> None:
    """Also where the run is shorter than the screen."""
    assert draw_ruler((1, 2, 3), 3, 12).count("|") == 3
    assert draw_ruler((1,), 1, 12) == "0---------|1"


def test_shares_are_told_without_needless_digits() -> None:
    """As in the run file where they are round."""
    assert [percent(share) for share in (0.05, 0.066, 0.2, 1.0)] == ["5 %", "6.6 %", "20 %", "100 %"]


def test_a_plan_of_unknown_length_has_no_saves(tmp_path: Path) -> None:
    """But the evictions that its machine will see are decided on."""
    (tmp_path / "run.yaml").write_text(BIG.replace("ehartford/", "somebody/") + SPOT)
    made = make_plan(load_run_file(tmp_path / "run.yaml"), replace(survey(), unanswered=()))
    assert made.saves is None
    assert made.evictions_per_hour == 0.1
