"""What the launcher gives its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.training_run import DEADLINE_SECONDS, TrainingRun

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.training

_WORKER = """
import os
print("allocators", *(os.environ.get(name, "none") for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")))
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "expandable_segments:True none"),
        ({"PYTORCH_ALLOC_CONF": "max_split_size_mb:64"}, "max_split_size_mb:64 none"),
        ({"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"}, "none max_split_size_mb:64"),
    ],
)
def test_gpu_memory_grows_in_segments_unless_the_user_wants_otherwise(
    machine_python: Path, tmp_path: Path, given: dict[str, str], told: str
) -> None:
    """What the run file's `env` says of PyTorch's allocator stays, under its new name and its old one."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    (run.folder / "worker.py").write_text(_WORKER)
    assert run.start([], processes=1, module="worker", **given).wait(DEADLINE_SECONDS) == 0, run.log()
    assert f"allocators {told}\n" in run.log()
