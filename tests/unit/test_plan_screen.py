"""What `llamalift plan` prints, as a person reads it: a reviewer reads the snapshots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.plan_screen import plan_lines
from provisioning.errors import TransientError
from provisioning.survey_types import Provider, Rights, Topic, Unanswered
from runs.plan.facts import Facts
from runs.plan.make import make_plan
from runs.spec.load import load_run_file
from tests.fakes.surveys import A100, AT, offer, quotas, region, survey
from tests.unit.test_plan_placements import BIG, H100

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

    from runs.plan.plan import Plan

H100_OFFER = offer(
    size=H100,
    vcpus=80,
    gpus=2,
    family="StandardNCadsH100v5Family",
    quotas=quotas(),
    on_demand_dollars_per_hour=13.96,
    spot_dollars_per_hour=3.1,
    eviction_band="15-20",
)
MIXED = survey(
    offer("eastus", quotas=quotas(spot=0)),
    offer("westus3", eviction_band="10-15", spot_dollars_per_hour=3.50),
    offer("southcentralus", eviction_band="0-5", spot_dollars_per_hour=3.61, on_demand_dollars_per_hour=17.63),
)
CASES = {
    "on demand, asked now": ("", Facts(survey(), AT, AT)),
    "spot, a pool without room, old prices": ("machine: {spot: true}\n", Facts(MIXED, AT - 300, AT - 2400)),
    "nothing goes": (
        "machine: {zones: [2]}\n",
        Facts(
            survey(
                offer("eastus", quotas=quotas(family=0, cores=10)),
                offer("westus3", is_offered=False, restriction="NotAvailableForSubscription", zones=()),
                offer("southcentralus", quotas=quotas(family=48)),
            ),
            AT,
            AT,
        ),
    ),
    "few rights, no answers": (
        "limits: {hours: 40}\n",
        Facts(
            replace(
                survey(
                    offer(is_offered=None, quotas=(), zones=(), spot_history=(), eviction_band=""),
                    regions=(region(image=None),),
                    unanswered=(
                        Unanswered(Topic.SIZES, "eastus", TransientError("no answer from the cloud")),
                        Unanswered(Topic.QUOTA, "eastus", TransientError("no answer from the cloud")),
                        Unanswered(Topic.IMAGE, "eastus", TransientError("no answer from the cloud")),
                    ),
                ),
                rights=Rights(may_create=None, may_assign_roles=False),
                providers=(Provider("Microsoft.DevTestLab", is_registered=False),),
            ),
            AT,
            None,
        ),
    ),
    "a wish": (
        "machine: {size: auto, regions: [eastus]}\nlimits: {hours: 12}\n",
        Facts(survey(offer(), H100_OFFER), AT, AT),
    ),
    "other sizes": (
        f"machine: {{other_sizes: [{H100}], regions: [eastus]}}\n",
        Facts(survey(offer(), H100_OFFER), AT, AT),
    ),
    "offline, three days old": ("", Facts(survey(), AT - 3 * 86_400, AT - 3 * 86_400, is_offline=True)),
    "offline, nothing kept": ("", Facts(None, is_offline=True)),
}  # fmt: skip


def planned(folder: Path, more: str, facts: Facts) -> Plan:
    """The plan of a 7B run."""
    (folder / "run.yaml").write_text(BIG + more)
    return make_plan(load_run_file(folder / "run.yaml"), facts=facts)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("case", CASES)
def test_a_plan_reads_like_this(tmp_path: Path, case: str, width: int, snapshot: SnapshotAssertion) -> None:
    """One line per thing, the reason beside the number, places side by side; no space at a line's end."""
    plan = planned(tmp_path, *CASES[case])
    lines = [line.plain for line in plan_lines(plan, width, AT)]
    assert snapshot == "\n".join([*lines, *(f"note: {note}" for note in plan.notes)])
    assert [line for line in lines[1:] if line != line.rstrip()] == []
    reasons = len(lines) - next(number for number, line in enumerate(lines) if not line)
    assert [line for line in lines[1 : len(lines) - reasons] if len(line) > width] == []


def test_no_screen_is_too_narrow(tmp_path: Path) -> None:
    """At 40 columns it wraps and drops what is dispensable; the verdict stays."""
    plan = planned(tmp_path, "", Facts(survey(offer(quotas=quotas(family=0))), AT, AT))
    text = "\n".join(line.plain for line in plan_lines(plan, 40, AT))
    assert "no quota" in text
    assert A100 in text


def test_asking_nobody_and_asking_anew_do_not_go_together(tmp_path: Path) -> None:
    """A usage error, before the run file is read."""
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "run.yaml"), "--offline", "--refresh"])
    assert done.exit_code == 2
    assert "only one of the two" in done.output
