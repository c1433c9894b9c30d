"""A verdict is only as good as its evidence: what was not seen was not kept."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli.app import app
from runs.cost import cost_of_run
from runs.errors import SpecError
from runs.facts import Collected, Estimate, Trained, Trust
from runs.receipt import Receipt, ReceiptLine
from runs.run import Run
from runs.smoke import prepare, quote
from runs.smoke_promises import Evidence, judge
from runs.state_folder import StateFolder
from templates.agent import manifest

if TYPE_CHECKING:
    from pathlib import Path

GONE = ReceiptLine("disk", "d", "/d", 1.0, 2.0)
LEFT = ReceiptLine("disk", "e", "/e", 1.0, None)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A trial that was entered and has not begun."""
    return Run.create(prepare("rehearsal", tmp_path / "trial"), state=StateFolder(tmp_path / "state"))


def kept(run: Run, evidence: Evidence) -> set[str]:
    """The names of the promises that were kept."""
    return {promise.name for promise in judge(run, evidence) if promise.kept}


def test_without_evidence_nothing_was_kept(run: Run) -> None:
    """A trial that stopped at once kept its plan and nothing else."""
    assert kept(run, Evidence()) == {"the plan answered before anything existed"}


def test_one_resource_without_its_404_breaks_a_promise(run: Run) -> None:
    """And so does anything that the cloud still lists."""
    one, all_of_it = ((GONE,), (GONE, LEFT))
    assert "every resource answered 404" in kept(run, _after(run, one, []))
    assert "every resource answered 404" not in kept(run, _after(run, all_of_it, []))
    assert "the sweep found nothing" not in kept(run, _after(run, one, ["/subscriptions/s/stray"]))


def _after(run: Run, lines: tuple[ReceiptLine, ...], remaining: list[str]) -> Evidence:
    receipt = Receipt(run_id=run.run_id, cloud="rehearsal", resources=lines, hours=1.0, dollars=0.0)
    return Evidence(receipt=receipt, remaining=remaining, cost=cost_of_run(run.journal, run.run_id))


def test_the_model_is_hashed_once_more(run: Run, tmp_path: Path) -> None:
    """A byte that changed at home after collection is seen."""
    home = tmp_path / "model"
    home.mkdir()
    (home / "model.safetensors").write_bytes(b"weights")
    manifest.write_manifest(home, manifest.build_manifest(home))
    sha256 = hashlib.sha256((home / manifest.NAME).read_bytes()).hexdigest()
    run.journal.put(run.run_id, Collected(str(home), 1, 7, sha256))
    run.journal.put(run.run_id, Trained(5, 6.0, 60.0))
    run.journal.put(run.run_id, Trust(one_time="", own="ssh-ed25519 A"))
    promised = {"the model is at home, verified", "it trained"}
    assert promised | {"the machine's host key was known before it was trusted"} <= kept(run, Evidence())
    (home / "model.safetensors").write_bytes(b"weighty")
    assert "the model is at home, verified" not in kept(run, Evidence())


def test_a_dear_trial_breaks_its_promise(run: Run) -> None:
    """More than the plan expected is told, however little it is."""
    assert "it cost no more than expected" in kept(run, _after(run, (), []))
    run.journal.put(run.run_id, Estimate(dollars=-1.0, hours=1.0))
    assert "it cost no more than expected" not in kept(run, _after(run, (), []))


def test_the_trial_is_small_and_cannot_run_away(run: Run, tmp_path: Path) -> None:
    """A few cents on Azure, and limits of its own."""
    offer = quote(prepare("azure", tmp_path / "azure"))
    assert offer.dollars < 0.25
    assert offer.size == "Standard_D2s_v5"
    with run.context() as context:
        assert (context.spec.limits.hours, context.spec.limits.dollars) == (2, 1)
    with pytest.raises(SpecError, match="no such cloud"):
        prepare("moon", tmp_path / "moon")


def test_nobody_pays_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can answer, Azure is not used unless `--yes` says so."""
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(tmp_path))
    refused = CliRunner().invoke(app, ["smoke"])
    assert isinstance(refused.exception, SpecError)
    assert "--yes" in refused.exception.hint
    assert list((tmp_path / "smoke").iterdir()) == []
