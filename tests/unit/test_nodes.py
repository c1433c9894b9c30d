"""A run on several machines: what is asked for, what it costs, who does what, whose facts are whose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.azure.availability_set import AvailabilitySet
from provisioning.azure.naming import Names
from provisioning.azure.request_models import check_body
from provisioning.azure.stack import Stack
from provisioning.types import ResourceKind
from remote.layout import RunLayout
from runs.facts import Leaving, Trained, Trust
from runs.job import render_job
from runs.journal import Journal
from runs.nodes import NodeJournal, machines_of, on_each
from runs.plan.make import make_plan
from runs.plan.obstacles import Why
from runs.plan.sizes import find_size
from runs.spec.load import load_run_file, load_run_text
from runs.spec.recipes import write_recipe
from runs.training_steps import Inputs, Seat
from runs.types import RunRow, RunState
from templates.agent.answers import Cause, decide, wait_seconds
from templates.agent.settings import Job
from templates.agent.state import State
from tests.fakes.azure_samples import NAMES, ON_DEMAND
from tests.fakes.surveys import offer, quotas, survey
from tests.unit.test_plan_placements import BIG

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.plan import Plan

TWO = "machine: {nodes: 2, regions: [eastus]}\n"
PAIR = replace(ON_DEMAND, zone=None, others_custom_data=(b"#cloud-config\n",))


def planned(folder: Path, more: str, **values: Any) -> Plan:  # noqa: ANN401  (the fields of SizeOffer)
    """The plan of a 7B run in one region."""
    (folder / "run.yaml").write_text(BIG + more)
    return make_plan(load_run_file(folder / "run.yaml"), survey(offer("eastus", **values)))


def test_names_of_further_machines_are_their_own() -> None:
    """The first machine's names are what they always were; the group, network and placement group are shared."""
    first, second = Names("sub", "r-abcdef"), Names("sub", "r-abcdef", node=1)
    assert (first.machine, second.machine) == ("r-abcdef-vm", "r-abcdef-n2-vm")
    assert (first.group, first.virtual_network) == (second.group, second.virtual_network)
    assert first.availability_set == second.availability_set
    assert [first.node_of(name) for name in (first.machine, second.machine, "other-vm")] == [0, 1, None]
    assert first.generation_of(second.workspace_disk) == 0
    assert second.generation_of(second.workspace_disk) == 1


def test_only_several_machines_have_a_placement_group() -> None:
    """One machine is asked for exactly as before; two are in one set, whose body the SDK's model takes."""
    alone, pair = Stack.of(replace(ON_DEMAND, zone=None), NAMES), Stack.of(PAIR, NAMES)
    assert alone.availability_set is None
    assert "availabilitySet" not in alone.machine.body()["properties"]
    assert pair.machine.body()["properties"]["availabilitySet"]["id"].endswith(f"/{NAMES.availability_set}")
    body = AvailabilitySet(PAIR, NAMES).body()
    assert check_body("PUT", "Microsoft.Compute/availabilitySets", body) == []
    (needs,) = [needs for one, needs in pair.in_order() if one is pair.machine]
    assert ResourceKind.AVAILABILITY_SET in needs


def test_everything_is_paid_and_needed_twice(tmp_path: Path) -> None:
    """Dollars an hour and cores are those of both machines, and a step's rows are dealt out to all processes."""
    one, two = planned(tmp_path, "machine: {regions: [eastus]}\n"), planned(tmp_path, TWO)
    assert two.chosen.dollars_per_hour == pytest.approx(2 * one.chosen.dollars_per_hour)
    assert (two.nodes, two.processes) == (2, 2 * one.processes)
    assert two.rows_per_step == 2 * one.rows_per_step
    short = planned(tmp_path, TWO, quotas=quotas(family=100, cores=1000)).chosen.obstacle
    assert short is not None
    assert (short.why, short.fact.rpartition(": ")[2]) == (Why.QUOTA, "192")


def test_infiniband_is_looked_for(tmp_path: Path) -> None:
    """The size's own capability counts, its name where nobody was asked; a plan for one machine says nothing."""
    notes = " ".join(planned(tmp_path, TWO, has_infiniband=False).notes)
    assert "Standard_NC96ads_A100_v4 has no InfiniBand" in notes
    assert "by InfiniBand, as one availability set" in " ".join(planned(tmp_path, TWO, has_infiniband=True).notes)
    assert "InfiniBand" not in " ".join(planned(tmp_path, "machine: {regions: [eastus]}\n").notes)
    with_it, without = find_size("Standard_ND96asr_v4"), find_size("Standard_NC24ads_A100_v4")
    assert with_it is not None
    assert with_it.has_infiniband
    assert without is not None
    assert not without.has_infiniband


def test_each_machine_has_its_own_job(tmp_path: Path) -> None:
    """The first trains and verifies; the other only trains beside it, and its agent leaves giving up to the first's."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    spec, layout = load_run_text(run_file.read_text(), run_file).spec, RunLayout("/workspace", "r-abcdef")
    jobs = [
        render_job(
            spec, layout, Inputs("/p", "/m", "/d.json"), processes=1, save_seconds=1.0, secrets_file=None,
            seat=Seat(node, 2, "10.64.0.4"),
        )
        for node in (0, 1)
    ]  # fmt: skip
    first, second = (Job.from_json(job) for job in jobs)
    assert [step.name for step in first.steps] == ["train", "verify", "card"]
    assert [(step.name, step.follows, step.hang) for step in second.steps] == [("train", True, None)]
    words = " ".join(second.steps[0].argv)
    assert "--nnodes 2 --node_rank 1 --master_addr 10.64.0.4 --master_port 29400" in words
    assert "--standalone" not in words


def test_each_machine_curates_for_itself(tmp_path: Path) -> None:
    """The same rules and data give the same bytes, so that nobody waits for another's data."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    text = run_file.read_text().replace("\ndata:\n", "\ndata:\n  curate: quality\n")
    spec, layout = load_run_text(text, run_file).spec, RunLayout("/workspace", "r-abcdef")
    first, second = (
        render_job(
            spec, layout, Inputs("/p", "/m", "/d.json"), processes=1, save_seconds=1.0, secrets_file=None,
            seat=Seat(node, 2, "10.64.0.4"),
        )["steps"]
        for node in (0, 1)
    )  # fmt: skip
    assert first[0] == second[0]
    assert [step["name"] for step in second] == ["curate", "train"]


def test_who_follows_comes_back_as_often_as_the_first_calls(tmp_path: Path) -> None:
    """Losing the first machine is no failure of one's own, and is not waited out; standing alone for long is one."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    spec, layout = load_run_text(run_file.read_text(), run_file).spec, RunLayout("/workspace", "r-abcdef")
    job = render_job(
        spec, layout, Inputs("/p", "/m", "/d.json"), processes=1, save_seconds=1.0, secrets_file=None,
        seat=Seat(1, 2, "10.64.0.4"),
    )  # fmt: skip
    step, state = Job.from_json(job).steps[0], State()
    for _ in range(20):
        assert decide(state, step, Cause("communication", "words"), (0, 0)) is not None
        assert wait_seconds(state, 10.0) == 10.0
    assert decide(state, step, Cause("alone", "words"), (0, 0)) is None


def test_facts_of_one_machine_are_its_own(tmp_path: Path) -> None:
    """Host keys differ from machine to machine; what concerns the run is the same from each of them."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.add_run(RunRow("r-abcdef", "r", "rehearsal", 1.0, "run.yaml", "", "0" * 64, RunState.ACTIVE))
    second = NodeJournal(journal, 1)
    journal.put("r-abcdef", Trust(one_time="first"))
    second.put("r-abcdef", Trust(one_time="second"))
    second.put("r-abcdef", Leaving(at=1.0))
    assert (journal.get("r-abcdef", Trust), second.get("r-abcdef", Trust)) == (Trust("first"), Trust("second"))
    assert journal.get("r-abcdef", Leaving) == Leaving(at=1.0)
    second.forget("r-abcdef", Trust)
    assert journal.get("r-abcdef", Trust) == Trust("first")


class _Spec:
    """As much of a run file as `machines_of` needs."""

    class machine:  # noqa: N801 - as the run file has it
        """Three of them."""

        nodes = 3


class _Machine:
    """As much of a run on a machine as `on_each` needs."""

    spec = _Spec

    def __init__(self, others: list[_Machine] | None = None, trained: Trained | None = None) -> None:
        self._others = others or []
        self._trained = trained

    def others(self) -> list[_Machine]:
        """The further machines."""
        return self._others

    def get(self, _kind: type[Trained]) -> Trained | None:
        """Whether training is over."""
        return self._trained


def test_when_training_is_over_one_machine_is_enough() -> None:
    """Nobody starts the others again to bring the model home from the first one."""
    run: Any = _Machine([_Machine(), _Machine()])
    assert len(machines_of(run)) == 3
    over: Any = _Machine([_Machine(), _Machine()], Trained(steps=1, loss=None, seconds=1.0))
    assert machines_of(over) == [over]


def test_all_come_to_their_end_before_a_failure_is_told() -> None:
    """The first machine's trouble is the one that counts, and nobody is left at work."""
    ended: list[object] = []
    run: Any = _Machine([_Machine(), _Machine()])

    def act(one: object) -> str:
        ended.append(one)
        if one is run:
            raise ValueError("first")
        raise KeyError("other")

    with pytest.raises(ValueError, match="first"):
        on_each(run, act)
    assert len(ended) == 3
