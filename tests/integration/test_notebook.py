"""The documentation's notebook runs from its first cell to its last, against the rehearsal cloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from runs.journal import Journal
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "api.ipynb"


@pytest.fixture
def state(tmp_path: Path, machine_python: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder that the kernel uses, with the training environment that all tests share."""
    folder = tmp_path / "state"
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(folder))
    monkeypatch.setenv("LLAMALIFT_ENVIRONMENT_CACHE", str(machine_python.parents[2]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield folder
    assert [row.state for row in Journal(folder / "journal.sqlite").runs()] == [RunState.ENDED]


def test_every_cell_runs(state: Path) -> None:
    """A plan, a run beside other work in asyncio, a look at it, the model, the receipt; nothing is left."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs of an earlier run are not committed"
    NotebookClient(notebook, timeout=400, resources={"metadata": {"path": str(state.parent)}}).execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )
    assert "teardown" in printed
    assert "nothing to pay (rehearsal)" in printed
