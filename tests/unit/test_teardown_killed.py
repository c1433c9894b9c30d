"""A teardown that is killed between any two lines is finished by the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs.context import RunContext
from runs.journal import Journal
from runs.receipt import read_receipt
from runs.spec.load import load_run_text
from runs.stages.teardown import Teardown
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, Silent

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "name: tiny\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: hf://datasets/a/b/c.json}\n"


class EmptyCloud:
    """A cloud in which nothing is left to delete."""

    def destroy(self, *_: object) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def a_context(tmp_path: Path) -> RunContext:
    """A run whose resources are gone, with its keys still here."""
    state = StateFolder(tmp_path / "state")
    journal = Journal(state.journal)
    row = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, str(tmp_path / "run.yaml"), TEXT, "0" * 64, RunState.ACTIVE)
    journal.add_run(row)
    cloud: Any = EmptyCloud()
    context = RunContext(row, load_run_text(TEXT, tmp_path / "run.yaml"), journal, state, Silent(), cloud)
    (context.folder / "id_ed25519").write_text("secret")
    return context


@pytest.mark.parametrize("killed_at", ["make_receipt", "write_receipt"])
def test_a_run_has_ended_only_when_its_receipt_is_written_and_its_key_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    """Otherwise nobody would come back for them."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    context = a_context(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(f"runs.stages.teardown.{killed_at}", die)
        with pytest.raises(KeyboardInterrupt):
            Teardown().act(context)
    assert not Teardown().is_done(context)

    Teardown().act(context)
    assert Teardown().is_done(context)
    assert read_receipt(context.folder / "receipt.json") is not None
    assert not (context.folder / "id_ed25519").exists()
