"""The model card: what it tells, the picture of its losses, and the cost that the client completes at home."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from runs.card_cost import complete_card, completed, cost_words
from runs.card_facts import card_facts
from runs.cost import CostLine, RunCost
from runs.facts import Decided
from runs.journal import Journal
from runs.journal.charges import Component
from runs.spec.load import load_run_text
from runs.types import RunRow, RunState
from templates.after.card_text import CardFacts, Stage, body
from templates.after.finish import rule_lines
from templates.after.loss_curve import curves, draw
from templates.agent.manifest import build_manifest, check_manifest, read_manifest, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

LINES = [
    '{"event": "stage", "name": "a<b", "number": 1, "of": 2}',
    '{"event": "step", "step": 1, "loss": 5.0}',
    '{"event": "step", "step": 2, "loss": null}',
    '{"event": "step", "step": 2, "loss": 4.5}',
    '{"event": "step", "step": 2, "loss": 4.0}',
    "torn",
    '{"event": "stage", "name": "own", "number": 2, "of": 2}',
    '{"event": "step", "step": 1, "loss": 3.0}',
]
STAGES = [
    Stage("instruct", "hf://datasets/o/d/f.json", "ab" * 32, "alpaca", {"learning_rate": 0.1, "lr": "x"}, "zero3",
          rows=1200, tokens=90_000, steps=9, first_loss=3.0, last_loss=1.25, rules=["no refusals"]),
    Stage("own", "./own.json", "cd" * 32, "alpaca", {"learning_rate": 0.2}, "zero2"),
]  # fmt: skip
FACTS = CardFacts(
    run_id="r-abcdef", name="r", base="hf://huggyllama/llama-7b", stages=STAGES, parameters=6_740_000_000,
    machine="4 x A100-80GB", cost="$1.00 so far.", versions={"torch": "2.13"}, recipe="name: r\n", prompt="### Q",
    response="An answer.", has_curve=True, llamalift="0.1",
)  # fmt: skip


def test_losses_are_read_stage_by_stage() -> None:
    """A step that was trained again counts last; what is no loss, or torn, is passed over."""
    assert curves(LINES, "run") == {"a<b": [(1, 5.0), (2, 4.0)], "own": [(1, 3.0)]}
    one = ['{"event": "stage", "name": "final", "number": 1, "of": 1}', '{"event": "step", "step": 1, "loss": 5.0}']
    assert curves(one, "run") == {"run": [(1, 5.0)]}


def test_the_picture_has_a_line_for_each_stage() -> None:
    """One after the other, and well-formed whatever a stage is called; without losses there is none."""
    root = ET.fromstring(draw(curves(LINES, "run")))  # noqa: S314 - our own picture
    name = "{http://www.w3.org/2000/svg}"
    lines = [line.get("points", "").split() for line in root.iter(f"{name}polyline")]
    assert [len(points) for points in lines] == [2, 1]
    assert float(lines[0][-1].split(",")[0]) < float(lines[1][0].split(",")[0])
    assert "a<b" in [text.text for text in root.iter(f"{name}text")]
    assert draw({}) == ""


def test_a_card_tells_everything_that_made_the_model() -> None:
    """Data with fingerprint and rules, flags of each stage, losses, prompt, cost, and how to make it again."""
    text = body(FACTS)
    for words in (
        "the base model → instruct → own", "6,740.0 million parameters", "1,200 | 90,000", "ab" * 32, "- no refusals",
        "| instruct | 9 | 3.000 | 1.250 | zero3 |", "| `learning_rate` | `0.1` | `0.2` |", "| `lr` | `x` |  |",
        "![Loss by optimizer step](loss_curve.svg)", "### Q", "An answer.", "$1.00 so far.", "```yaml\nname: r\n```",
        "torch 2.13", "No licence is stated here",
    ):  # fmt: skip
        assert words in text, words


def test_a_curation_is_told_rule_by_rule() -> None:
    """What was dropped by what, and what the data was before."""
    report = {
        "rules_name": "unfiltered", "rules_sha256": "ab" * 32, "input_sha256": "cd" * 32, "rows": 1000, "kept": 990,
        "rules": [{"name": "refusals", "dropped": 10}, {"name": "empty", "dropped": 0}],
    }  # fmt: skip
    assert list(rule_lines(report)) == [
        f"`unfiltered` (SHA-256 `{('ab' * 32)[:16]}…`): 990 of 1,000 rows kept",
        "refusals: 10 rows dropped",
        f"the data as it came has SHA-256 `{'cd' * 32}`",
    ]
    assert list(rule_lines({})) == []


def test_the_cost_is_completed_between_its_marks() -> None:
    """All else of a card stays as it is, also where its user has written into it."""
    text = body(FACTS)
    line = CostLine(Component.MACHINE, "in eastus", 2.0, 29.38, 14.69, goes_on=True, basis="Retail Prices API")
    words = cost_words(RunCost("r-abcdef", "azure", (line,), None), 0.0)
    done = completed(text, words)
    assert "$29.38 until the model was home (1970-01-01)" in done
    assert "$1.00 so far." not in done
    assert completed(done, words) == done
    assert completed("no marks", words) == "no marks"


def test_the_card_at_home_is_in_the_manifest_again(tmp_path: Path) -> None:
    """A model is whole with its completed card; one without a card stays what it was."""
    journal = Journal(tmp_path / "journal.sqlite")
    journal.add_run(
        RunRow(
            run_id="r-abcdef", name="r", cloud="rehearsal", created_at=0.0, run_file="run.yaml", spec_text="",
            spec_sha256="", state=RunState.ACTIVE,
        )
    )  # fmt: skip
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text(body(FACTS))
    (folder / "model.safetensors").write_text("weights")
    write_manifest(folder, build_manifest(folder, step=7))
    complete_card(folder, journal, "r-abcdef")
    assert "a rehearsal: nothing was paid" in (folder / "README.md").read_text()
    assert check_manifest(folder) == []
    assert read_manifest(folder)["step"] == 7


def test_the_client_tells_the_card_what_decides_the_model_and_nothing_else(tmp_path: Path) -> None:
    """Subscription, tags, addresses and limits are nobody else's business."""
    from remote.layout import RunLayout
    from runs.training_steps import Inputs

    text = (
        "name: two\nsubscription: 00000000-0000-0000-0000-000000000000\ntags: {team: secret}\nmodel: {from: ./m}\n"
        "data: {from: ./d.json}\ntrain: [{name: a, learning_rate: 1e-5}, {name: b, data: {from: ./own.json}}]\n"
    )
    spec = load_run_text(text, tmp_path / "run.yaml").spec
    decided = Decided(
        subscription_id="0", region="eastus", zone=None, image="", caller_address="", workspace_gib=8,
        size="Standard_D2s_v5", spot=False, machine_dollars_per_hour=0.1, disk_dollars_per_hour=0.0,
        address_dollars_per_hour=0.0, price_basis="list", dollars_per_hour=0.1, dollars_cap=1, deadline_at=0,
        save_seconds=1,
    )  # fmt: skip
    inputs = Inputs("/python", "/m", "/d.json", {"b": "/own.json"})
    told = json.loads(card_facts(spec, RunLayout("/w", "two-abcdef"), inputs, decided))
    assert [(stage["name"], stage["data_file"]) for stage in told["stages"]] == [("a", "/d.json"), ("b", "/own.json")]
    assert "learning_rate: 1.0e-05" in told["recipe"]
    assert "00000000" not in json.dumps(told)
    assert "secret" not in json.dumps(told)
