"""What commands answer with `--json` is of the schema that is documented."""

from __future__ import annotations

import ast
import inspect
import json
import time
from dataclasses import asdict, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command
from typer.testing import CliRunner

from cli.answers import shapes
from cli.answers.known import ANSWERS
from cli.answers.page import answers_markdown, events_markdown
from cli.answers.schema import answer_schema
from cli.app import app
from cli.commands.attempts import _as_json
from cli.sweeping import found_json
from provisioning.types import Placement
from runs.adoption.adopt import Adoption
from runs.costs import cost_json, costs
from runs.journal import Journal
from runs.journal.attempts import Attempt, Outcome
from runs.overview import overview
from runs.plan import make_plan
from runs.plan.document import plan_json
from runs.receipt import make_receipt
from runs.run import Run
from runs.smoke import SmokeReport
from runs.spec.load import load_run_file
from runs.spec.recipes import write_recipe
from runs.state_folder import StateFolder
from runs.status import look
from runs.types import EffectMoment, RunRow, RunState, StageName, StageState

if TYPE_CHECKING:
    from pathlib import Path

# A schema is none of an answer; scores are lm-evaluation-harness's own file.
NO_ANSWERS = frozenset({"schema", "evaluate"})


def strict(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A schema that takes no key beyond those that it describes."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema and schema.get("type") == "object" else {}
    return {key: strict(value) for key, value in schema.items()} | closed


def check(command: str, answer: object) -> None:
    """Hold an answer, as it comes out of JSON, to its schema: no key is missing, and none is undocumented."""
    plain = json.loads(
        json.dumps(answer, default=lambda value: value.decode() if isinstance(value, bytes) else str(value))
    )
    Draft202012Validator(strict(answer_schema(command))).validate(plain)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that has ended, with a stage, a resource and an event."""
    state = StateFolder(tmp_path / "state")
    journal = Journal(state.journal)
    row = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, "run.yaml", "", "0", RunState.ENDED)
    journal.add_run(row)
    journal.stage_started(row.run_id, StageName.PROVISION)
    journal.stage_ended(row.run_id, StageName.PROVISION, StageState.DONE, "rented")
    journal.note_effect(row.run_id, EffectMoment.CREATE_INTENDED, kind="disk", name="d", resource_id="/d")
    journal.note_effect(row.run_id, EffectMoment.GONE, kind="disk", name="d", resource_id="/d")
    return Run(row, state, journal)


def test_every_command_with_json_has_a_schema() -> None:
    """No answer is forgotten."""
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group has commands
    with_json = {name for name, one in commands.items() if any("--json" in parameter.opts for parameter in one.params)}
    assert with_json - NO_ANSWERS - set(ANSWERS) == set()


@pytest.mark.parametrize("command", ANSWERS)
def test_every_schema_is_one_and_every_key_is_explained(command: str) -> None:
    """Valid JSON Schema; each object says what it is."""
    schema = answer_schema(command)
    Draft202012Validator.check_schema(schema)
    objects = [one for one in (schema.get("items", schema), *schema.get("$defs", {}).values()) if "properties" in one]
    assert objects
    assert [one.get("title") for one in objects if not one.get("description")] == []


def test_answers_of_the_journal_are_of_their_schemas(run: Run) -> None:
    """`ls`, `status`, `cost`, `down`: what the journal alone can answer."""
    check("ls", [asdict(line) for line in overview(run.state)])
    check("ls", [asdict(line) | {"in_cloud": "nothing"} for line in overview(run.state)])
    check("status", asdict(look(run)))
    check("cost", cost_json(costs(run.state, None, offline=True)))
    check("down", asdict(make_receipt(run.journal, run.run_id)))
    attempt = Attempt(1, 1.0, None, Placement("eastus", None, "Standard_D2s_v5", spot=False), Outcome.OPEN, "", "")
    check("attempts", [_as_json(attempt)])


def test_all_runs_in_one_line_each_are_of_their_schema(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `status` prints when it is told no run."""
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(run.state.root))
    check("status-all", json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout))


def test_a_plan_is_of_its_schema(tmp_path: Path) -> None:
    """Both recipes: with GPUs and without, launched and not."""
    for recipe in ("tiny-cpu", "wizardlm-7b"):
        plan = make_plan(load_run_file(write_recipe(recipe, tmp_path / recipe)))
        check("plan", plan_json(plan, now=time.time()))
        check("plan", plan_json(plan, now=time.time(), refusal=ValueError("no")))


def test_answers_that_are_put_together_by_hand_have_their_shapes() -> None:
    """The shapes are for the schema alone, so the keys that the code writes are compared with them."""
    assert keys_of("cli.sweeping", "_run_json") == names(shapes.SweptLine)
    assert set(found_json([], {}, cloud="azure", subscription_id="s")) == names(shapes.SweepAnswer)
    assert names(SmokeReport) | {"passed"} == names(shapes.SmokeAnswer)
    assert {"run_id", *names(Adoption)} - {"run"} == names(shapes.AdoptAnswer)


def keys_of(module: str, function: str) -> set[str]:
    """The keys of the dictionary that a function returns, as its source has them."""
    tree = ast.parse(inspect.getsource(getattr(import_module(module), function)))
    returned = next(node.value for node in ast.walk(tree) if isinstance(node, ast.Return))
    assert isinstance(returned, ast.Dict)
    return {str(key.value) for key in returned.keys if isinstance(key, ast.Constant)}


def names(kind: type[Any]) -> set[str]:
    """The names of a dataclass's fields."""
    return {one.name for one in fields(kind)}


def test_the_pages_have_every_answer_and_every_event() -> None:
    """The reference is made from the same schemas."""
    page = answers_markdown()
    assert [command for command, one in ANSWERS.items() if one.form != "one object a line, as things happen"
            and f"`llamalift {one.command or command} --json`" not in page] == []  # fmt: skip
    assert all(f"## `{kind}`" in events_markdown() for kind in ("run", "stage-progress", "error", "end"))


def test_a_run_that_has_ended_since_asks_no_machine(run: Run) -> None:
    """Whoever holds a `Run` while it ends gets its log and its status from here."""
    run.row = replace(run.row, state=RunState.ACTIVE)
    assert list(run.log()) == []
    assert run.row.state is RunState.ENDED
    run.row = replace(run.row, state=RunState.ACTIVE)
    assert run.status().row.state is RunState.ENDED
