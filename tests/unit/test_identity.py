"""What makes a checkpoint this run's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from templates.training.identity import differences, identify
from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path


def of(folder: Path, **changes: object) -> dict[str, Any]:
    """Identify a run on the tiny model and a small file of data."""
    base, data = folder / "base", folder / "data.json"
    if not base.exists():
        write_tiny_llama(base)
        data.write_text("[]")
    asked: dict[str, Any] = {
        "base": str(base), "data": str(data), "longest_row": 512, "prompt_format": "alpaca", "seed": 42,
        "zero_stage": 3, "precision": "bf16",
    }  # fmt: skip
    return identify(**{**asked, **changes})


def test_the_same_again_is_no_other(tmp_path: Path) -> None:
    """Nothing of it depends on time, place or what else is in the folder."""
    before = of(tmp_path)
    (tmp_path / "base" / "README.md").touch()
    (tmp_path / "base").rename(tmp_path / "moved")
    assert differences(of(tmp_path, base=str(tmp_path / "moved")), before) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"longest_row": 256}, "--model_max_length (then 512, now 256)"),
        ({"seed": 1}, "--seed (then 42, now 1)"),
        ({"zero_stage": 2}, "the ZeRO stage (then 3, now 2)"),
        ({"precision": "fp16"}, "the precision (then bf16, now fp16)"),
        ({"base": "huggyllama/llama-7b"}, "the base model"),
    ],
)
def test_each_change_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    """By the name of the flag to put back."""
    assert differences(of(tmp_path, **changes), of(tmp_path)) == told


def test_other_weights_of_the_same_shape_are_another_base(tmp_path: Path) -> None:
    """One number at the end of a file is enough."""
    before = of(tmp_path)
    with next((tmp_path / "base").glob("*.safetensors")).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert differences(of(tmp_path), before) == "the base model"


def test_other_data_is_another_run(tmp_path: Path) -> None:
    """Data that is not there is somebody else's complaint."""
    before = of(tmp_path)
    (tmp_path / "data.json").write_text("[1]")
    assert differences(of(tmp_path), before) == "the data"
    assert differences(of(tmp_path, data=str(tmp_path / "nowhere")), before) == ""
