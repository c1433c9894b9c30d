"""The shipped list of trainer flags is that of the Transformers release that machines get."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.training
def test_the_shipped_list_is_that_of_the_pinned_transformers(machine_python: Path) -> None:
    """Every flag of the pinned release is known with its kind, and no other."""
    made = subprocess.run(
        [machine_python, ROOT / "tests" / "fakes" / "list_training_arguments.py"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert (ROOT / "runs" / "spec" / "training_arguments.json").read_text() == made.stdout
