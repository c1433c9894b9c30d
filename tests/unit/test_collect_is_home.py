"""Whether the model is home: what is asked before a machine is deleted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from runs.stages.collect import is_home
from templates.agent.manifest import build_manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def a_model(folder: Path) -> str:
    """A complete model; returns its manifest's SHA-256."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    write_manifest(folder, build_manifest(folder))
    return hashlib.sha256((folder / "MANIFEST.json").read_bytes()).hexdigest()


def test_a_whole_model_is_home(tmp_path: Path) -> None:
    """Its manifest is the one that was collected, and every file has its size."""
    assert is_home(tmp_path / "model", a_model(tmp_path / "model"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "model.safetensors").write_bytes(b"w"),
        lambda folder: (folder / "MANIFEST.json").unlink(),
        lambda folder: (folder / "MANIFEST.json").write_text("{}"),
        lambda folder: folder.rename(folder.with_name("elsewhere")),
    ],
    ids=["lost file", "cut file", "no manifest", "another manifest", "moved"],
)
def test_anything_less_is_not(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """A folder of that name alone proves nothing: `resume` fetches what is missing first."""
    seal = a_model(tmp_path / "model")
    spoil(tmp_path / "model")
    assert not is_home(tmp_path / "model", seal)
