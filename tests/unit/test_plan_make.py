"""A plan as a whole: its figures, its limits, and every reason why a run could not work."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cli.problems import problem_line
from runs.errors import SpecError
from runs.plan import make_plan
from runs.plan.document import plan_json
from runs.plan.memory_fit import Fit
from runs.plan.workload import MOST_REHEARSAL_PARAMETERS
from runs.spec.load import load_run_file
from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.plan import Plan

BIG = """\
name: big
cloud: azure
model: {from: hf://huggyllama/llama-7b}
data: {from: hf://datasets/ehartford/WizardLM_alpaca_evol_instruct_70k_unfiltered/x.json}
"""
SMALL = """\
name: small
machine: {size: Standard_D2s_v5}
model: {from: ./tiny}
data: {from: ./rows.json}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model and ten rows."""
    write_tiny_llama(tmp_path / "tiny")
    rows = [{"instruction": f"Say {number}.", "output": str(number)} for number in range(10)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    return tmp_path


def plan(folder: Path, text: str) -> Plan:
    """The plan of a run file."""
    (folder / "run.yaml").write_text(text)
    return make_plan(load_run_file(folder / "run.yaml"))


def reasons(folder: Path, text: str) -> list[str]:
    """Why a run file that reads well cannot work."""
    with pytest.raises(SpecError) as caught:
        plan(folder, text)
    return [problem_line(problem, "run.yaml").replace(str(folder), "FOLDER") for problem in caught.value.problems]


def test_the_published_recipe_on_four_a100(folder: Path) -> None:
    """430 steps an epoch; 94 GB checkpoints; 45 of 80 GB on each GPU; a P30 takes 7 m 52 s to save or drain."""
    made = plan(folder, BIG)
    assert (made.steps, made.rows_per_step, made.processes) == (1290, 128, 4)
    assert made.saves is not None
    assert made.saves.drain_seconds == pytest.approx(472, abs=1)
    assert made.saves.share <= 0.05
    assert made.memory is not None
    assert made.memory.taken_bytes == pytest.approx(45.5e9, rel=0.01)
    assert made.memory.fit is Fit.FITS
    assert made.workspace_gib == 1024


def test_keeping_more_never_needs_less(folder: Path) -> None:
    """Monotonic in `keep`, in bytes and in GiB."""
    made = [plan(folder, BIG + f"checkpoints: {{keep: {keep}}}\n") for keep in range(1, 9)]
    totals = [one.need.total for one in made]
    assert totals == sorted(set(totals))
    assert [one.workspace_gib for one in made] == sorted(one.workspace_gib for one in made)


def test_zero_2_needs_more_disk_than_zero_3(folder: Path) -> None:
    """The weights are in its checkpoints twice."""
    two, three = (plan(folder, BIG + f"train: {{deepspeed: zero{stage}}}\n") for stage in (2, 3))
    assert two.need.checkpoint > three.need.checkpoint


def test_a_local_run_is_counted_not_guessed(folder: Path) -> None:
    """Rows and parameters come from the files."""
    made = plan(folder, SMALL)
    assert made.model.parameters == 1_059_968
    assert made.model.basis == "counted in the weight files"
    assert made.data is not None
    assert made.data.rows == 10
    assert made.processes == 2
    assert made.steps == 3
    assert made.memory is None


@pytest.mark.parametrize(
    ("train", "steps"),
    [
        ("{num_train_epochs: 1, per_device_train_batch_size: 1, gradient_accumulation_steps: 1}", 5),
        ("{num_train_epochs: 1, per_device_train_batch_size: 2, gradient_accumulation_steps: 2}", 2),
        ("{num_train_epochs: 0.5, per_device_train_batch_size: 1, gradient_accumulation_steps: 1}", 3),
        ("{per_device_train_batch_size: 3, gradient_accumulation_steps: 1, dataloader_drop_last: true}", 3),
        ("{max_steps: 7}", 7),
    ],
)  # fmt: skip
def test_steps_are_counted_as_the_trainer_counts(folder: Path, train: str, steps: int) -> None:
    """Short batches and short accumulations count; max_steps wins."""
    assert plan(folder, SMALL + f"train: {train}\n").steps == steps


def test_automatic_limits_are_above_the_estimate_and_finite(folder: Path) -> None:
    """1.5 times the estimate, in half hours; never so short that a slow boot ends the run."""
    made = plan(folder, BIG)
    assert made.time is not None
    estimate = made.time.total_seconds / 3600
    assert 1.5 * estimate <= made.deadline_hours <= 1.5 * estimate + 0.5
    assert made.dollars_cap == pytest.approx(made.deadline_hours * made.dollars_per_hour, abs=0.01)
    assert plan(folder, SMALL).deadline_hours == 1


def test_a_run_of_unknown_length_is_limited_all_the_same(folder: Path) -> None:
    """Data that only the machine will see: no steps, but a day at most."""
    made = plan(folder, BIG.replace("ehartford/", "somebody/"))
    assert made.steps is None
    assert made.saves is None
    assert made.deadline_hours == 24
    assert any("number of rows" in note for note in made.notes)


def test_the_run_files_own_limits_win(folder: Path) -> None:
    """What the user says is what is armed."""
    made = plan(folder, BIG + "limits: {hours: 2, dollars: 7.5}\n")
    assert (made.deadline_hours, made.dollars_cap) == (2, 7.5)


def test_a_highest_spot_price_is_what_dollars_are_counted_with(folder: Path) -> None:
    """Nobody is charged more than that."""
    made = plan(folder, BIG + "machine: {spot: true, max_price: 3}\n")
    assert made.cost.machine_per_hour == 3


def test_a_region_without_a_price_is_never_cheaper(folder: Path) -> None:
    """The dearest known price stands in, and a note says so."""
    here, nowhere = plan(folder, BIG), plan(folder, BIG + "machine: {regions: [moonbase]}\n")
    assert nowhere.dollars_per_hour > here.dollars_per_hour
    assert any("moonbase" in note for note in nowhere.notes)


def test_a_plan_is_plain_json(folder: Path) -> None:
    """What `--json` prints reads back, and holds the sums."""
    read: dict[str, Any] = json.loads(json.dumps(plan_json(plan(folder, BIG), now=0.0)))
    assert read["schema"] == 2
    assert read["need"]["total"] > read["need"]["checkpoint"] * 4
    assert re.fullmatch(r"llamalift-big-x{6}", read["resource_group"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SMALL.replace("D2s", "D3s"),
            r"run\.yaml:2:17: machine\.size: unknown size; .*found: Standard_D3s_v5 \(did you mean \w+\?\)",
        ),
        (SMALL.replace("D2s_v5", "NC24ads_A100_v4"), r".*: machine\.size: a rehearsal machine has no GPU; .*"),
        (SMALL.replace("D2s_v5", "D2s_v5, processes: 3"), r".*: machine\.processes: expected at most 2 \(CPU cores .*"),
        (BIG + "machine: {processes: 5}\n", r".*: machine\.processes: expected at most 4 \(GPUs .*, found: 5"),
        (BIG.replace("huggyllama/llama-7b", "a/b"), r"run\.yaml:3:8: model: nothing tells how large the model is; .*"),
        (BIG + "storage: {workspace_gib: 256}\n", r".*workspace_gib: too small .* 4\d\d GiB, found: 256"),
        (
            BIG.replace("}\ndata", ", parameters_billion: 70}\ndata"),
            r".*: machine\.size: each GPU would need 330 GB .*; ZeRO-3 \+ offload would fit; it has: 80 GB",
        ),
        (
            BIG + "train: {deepspeed: zero2, per_device_train_batch_size: 4}\nmachine: {size: Standard_ND96asr_v4}\n",
            None,
        ),
        (
            BIG + "train: {deepspeed: zero1}\nmachine: {size: Standard_ND96asr_v4}\n",
            r".*: machine\.size: each GPU would need 55 GB .* for 8 rows .*; ZeRO-3 would fit; it has: 40 GB",
        ),
        (SMALL.replace("rows.json", "other.json"), r".*: data\.from: not JSON: FOLDER/other\.json: .*"),
        (SMALL.replace("rows.json", "empty.json"), r".*: data\.from: no rows in the data: FOLDER/empty\.json"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_work_is_refused_with_the_reason(folder: Path, text: str, expected: str | None) -> None:
    """Each reason names its place in the file."""
    (folder / "other.json").write_text("[oops")
    (folder / "empty.json").write_text("[]")
    if expected is None:
        plan(folder, text)
        return
    [line] = reasons(folder, text)
    assert re.fullmatch(expected, line), line


def test_a_large_model_does_not_train_on_this_computer(folder: Path) -> None:
    """A rehearsal is for learning; it says what it takes at most."""
    assert MOST_REHEARSAL_PARAMETERS < 1e9
    [line] = reasons(folder, SMALL.replace("./tiny", "hf://huggyllama/llama-7b"))
    assert "at most 0.5 billion parameters, found: 6.7" in line


def test_all_reasons_come_at_once(folder: Path) -> None:
    """Size, model and data are all named in one go."""
    text = BIG.replace("huggyllama/llama-7b", "a/b") + "machine: {size: Standard_Nothing}\n"
    assert len(reasons(folder, text)) == 2
