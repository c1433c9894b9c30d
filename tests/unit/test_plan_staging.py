"""What filling the disk from a small machine saves, as `plan` tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runs.facts import Staged
from runs.plan import make_plan
from runs.plan.document import plan_json
from runs.plan.staging import SIZE
from runs.spec.load import load_run_file
from runs.stages.staging import small_run_file

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.plan import Plan
    from runs.spec.load import LoadedRunFile

BIG = """\
name: big
cloud: azure
machine: {size: Standard_NC96ads_A100_v4, zones: [1, 2], spot: true}
model: {from: hf://huggyllama/llama-7b}
data: {from: hf://datasets/ehartford/WizardLM_alpaca_evol_instruct_70k_unfiltered/x.json}
"""


def load(folder: Path, more: str) -> LoadedRunFile:
    """A run file for four large GPUs."""
    (folder / "run.yaml").write_text(BIG + more)
    return load_run_file(folder / "run.yaml")


def plan(folder: Path, more: str) -> Plan:
    """Its plan."""
    return make_plan(load(folder, more))


@pytest.mark.parametrize(("stage", "is_chosen"), [("never", False), ("auto", True), ("always", True)])
def test_the_saving_is_told_in_dollars(tmp_path: Path, stage: str, is_chosen: bool) -> None:  # noqa: FBT001
    """With four GPUs that wait it is worth it; where it is not done, the plan says what it would save."""
    made = plan(tmp_path, f"storage: {{stage: {stage}}}\n")
    assert made.staging is not None
    assert made.staging.is_chosen is is_chosen
    hours = made.staging.seconds / 3600
    assert made.staging.gpu_dollars == pytest.approx(made.cost.machine_per_hour * hours)
    assert 0 < made.staging.small_dollars < made.staging.gpu_dollars
    told = [note for note in made.notes if "storage.stage" in note]
    assert len(told) == 1
    assert f"${made.staging.saving_dollars:.2f}" in told[0]
    document = json.loads(json.dumps(plan_json(made, now=0.0)))
    assert document["staging"]["saving_dollars"] == pytest.approx(made.staging.saving_dollars)


def test_where_it_saves_little_nobody_speaks_of_it(tmp_path: Path) -> None:
    """A machine without GPUs costs as much as the one that would fill its disk."""
    small = "machine: {size: Standard_D4s_v5}\nstorage: {stage: auto}\n"
    (tmp_path / "run.yaml").write_text(BIG.replace(BIG.splitlines()[2] + "\n", small))
    made = make_plan(load_run_file(tmp_path / "run.yaml"))
    assert made.staging is not None
    assert not made.staging.is_chosen
    assert not [note for note in made.notes if "storage.stage" in note]


def test_the_small_machine_gets_the_disk_that_the_runs_own_wants(tmp_path: Path) -> None:
    """One size, on demand, in one place, with limits of its own; and the disk as large as it will have to be."""
    loaded = load(tmp_path, "storage: {stage: always}\n")
    wanted = make_plan(loaded).workspace_gib
    staged = Staged(0.0, "begun", SIZE, "westus3", "2", wanted)
    small = small_run_file(loaded, staged)
    made = make_plan(small)
    assert (made.size.name, made.spot, made.workspace_gib) == (SIZE, False, wanted)
    assert {(one.placement.region, one.placement.zone) for one in made.placements} >= {("westus3", "2")}
    assert made.chosen.placement.zone == "2"
    assert made.chosen.obstacle is None
    assert made.limits.hours <= 12
    regional = small_run_file(loaded, replace(staged, zone=None))
    assert make_plan(regional).chosen.placement.zone is None
