"""The corruption table: every kind of damage to a real checkpoint is seen, told, and answered with the one before."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest, read_manifest
from templates.training.metrics import Metrics
from templates.training.start import find_start
from tests.fakes.damage import DAMAGES, shard
from tests.fakes.small_disk import mount_image, small_disk, unmount
from tests.fakes.training_run import FLAGS, STEPS, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

SILENT = [name for name in DAMAGES if name.endswith("(silent)")]


def copy_of(run: TrainingRun, target: Path, *, link: bool = True) -> Path:
    """Copy the two newest checkpoints of a run, sharing their bytes with it."""
    for step in (STEPS - 1, STEPS):
        name = f"checkpoint-{step}"
        copy = os.link if link else shutil.copy2
        shutil.copytree(run.folder / "checkpoints" / name, target / name, copy_function=copy)
    return target


def test_the_table_is_long_enough() -> None:
    """Every row that was seen in plain Transformers is there, six silent ones among them."""
    assert len(DAMAGES) >= 16
    assert len(SILENT) == 6


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_damage_is_recognised_and_set_aside(
    finished: Callable[[str], TrainingRun], tmp_path: Path, kind: str
) -> None:
    """The start names the reason, moves the damaged one out of the way, and takes the newest complete one."""
    folder = copy_of(finished("zero2"), tmp_path / "checkpoints")
    older, newest = folder / f"checkpoint-{STEPS - 1}", folder / f"checkpoint-{STEPS}"
    run = read_manifest(older)["run"]
    damage, reason = DAMAGES[kind]
    damage(newest, older)

    start = find_start([folder], run, Metrics(tmp_path / "metrics.jsonl"))
    assert (start.folder, start.step) == (older, STEPS - 1)
    assert check_manifest(older) == []
    events = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    (event,) = [event for event in events if event["event"] == "set_aside"]
    assert event["step"] == STEPS
    assert re.search(reason, event["reason"]), event["reason"]
    assert [event["text"] for event in events if event["event"] == "note"] == [
        f"{event['checkpoint']} is set aside: {event['reason']}"
    ]
    assert [path.name for path in folder.glob("checkpoint-*")] == [older.name]
    # A second start finds nothing more to say.
    assert find_start([folder], run, Metrics(None)) == start


def test_a_file_that_the_disk_cannot_read(finished: Callable[[str], TrainingRun], tmp_path: Path) -> None:
    """A real file system with a damaged inode: the error is a reason, not the end of the start."""
    with small_disk(tmp_path, 64) as disk:
        folder = copy_of(finished("zero2"), disk / "checkpoints", link=False)
        newest = folder / f"checkpoint-{STEPS}"
        inode = shard(newest).stat().st_ino
        unmount(disk)
        image = tmp_path / "disk.img"
        command = f"set_inode_field <{inode}> extra_isize 9999"
        subprocess.run(["debugfs", "-w", "-R", command, str(image)], check=True, capture_output=True)
        if not mount_image(image, disk):
            pytest.skip("this kernel gives no loop device")
        metrics = tmp_path / "metrics.jsonl"
        start = find_start([folder], {}, Metrics(metrics))
        assert start.step == STEPS - 1
        assert f"checkpoint-{STEPS} is set aside: unreadable: " in metrics.read_text()


def test_a_run_whose_newest_checkpoint_lies_ends_in_the_same_bits(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """One rank's shard of an earlier step loads without a word elsewhere; here the curve is the uninterrupted one's."""
    whole = finished("zero2")
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    folder = copy_of(whole, run.folder / "checkpoints")
    damage, _ = DAMAGES["optimizer shard of an earlier step (silent)"]
    damage(folder / f"checkpoint-{STEPS}", folder / f"checkpoint-{STEPS - 1}")
    # An attempt before this one died while it gathered the final model.
    (run.folder / "markers").mkdir()
    (run.folder / "markers" / "gathering.json").write_text("{}")
    assert run.train(FLAGS) == 0, run.log()
    assert f"going on from checkpoint-{STEPS - 1}" in run.notes()
    assert run.curve() == whole.curve()[-1:]
    assert run.digest() == whole.digest()
    why = "an attempt to gather it did not come to its end"
    assert f"the final model is put together from checkpoint-{STEPS}: {why}" in run.notes()
    assert not (run.folder / "markers" / "gathering.json").exists()
    # The next complete checkpoint made what was set aside useless.
    assert not list(folder.glob("set-aside-*"))
