"""Checkpoints on disk are whole under their name, or not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest, newest_complete
from templates.training import checkpoints
from templates.training.sizes import checkpoint_bytes, model_bytes

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, step: int, text: str = "weights") -> Path:
    """Write a complete checkpoint the way the trainer does."""
    target = checkpoints.checkpoint_folder(str(folder), step)
    written = checkpoints.staging_folder(target) / target.name
    (written / "global_step").mkdir(parents=True)
    (written / "global_step" / "shard.pt").write_text(text)
    (written / "global_step" / "shard.pt").chmod(0o600)
    (written / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    checkpoints.commit(target, step=step, world_size=2)
    return target


class Told:
    """What a start reports, read back from the file that the agent reads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "metrics.jsonl"
        self.metrics = Metrics(self._path)

    def events(self, kind: str) -> list[dict[str, object]]:
        """Give the events of a kind."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def notes(self) -> list[object]:
        """Give the notes."""
        return [event["text"] for event in self.events("note")]


def test_a_commit_is_complete_and_readable(tmp_path: Path) -> None:
    """It verifies, can be read by others, and leaves no staging behind."""
    target = write(tmp_path, 8)
    assert check_manifest(target) == []
    assert (target / "global_step" / "shard.pt").stat().st_mode & 0o044 == 0o044
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-8"]


def test_a_commit_replaces(tmp_path: Path) -> None:
    """The same step again (a final model after a restart) takes the place of the old one."""
    write(tmp_path, 8, "old")
    target = write(tmp_path, 8, "new")
    assert (target / "global_step" / "shard.pt").read_text() == "new"
    assert check_manifest(target) == []


def test_pruning_counts_complete_ones_only(tmp_path: Path) -> None:
    """A broken folder never pushes out a good one, and the newest complete one always stays."""
    for step in (3, 6, 9):
        write(tmp_path, step)
    (tmp_path / "checkpoint-12").mkdir()
    checkpoints.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-12", "checkpoint-6", "checkpoint-9"]
    checkpoints.prune(tmp_path, keep=0)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-9"


@pytest.mark.parametrize("damage", ["flipped", "missing", "extra", "no manifest"])
def test_a_damaged_checkpoint_is_set_aside(tmp_path: Path, damage: str) -> None:
    """Training goes on from the newest one that verifies; a note says why a newer one does not count."""
    write(tmp_path, 3)
    shard = write(tmp_path, 6) / "global_step" / "shard.pt"
    match damage:
        case "flipped":
            shard.write_text("WEIGHTS")
        case "missing":
            shard.unlink()
        case "extra":
            (shard.parent / "more").touch()
        case _:
            (tmp_path / "checkpoint-6" / "MANIFEST.json").unlink()
    notes: list[str] = []
    assert checkpoints.find_start(tmp_path, notes.append) == tmp_path / "checkpoint-3"
    assert len(notes) == 1
    assert notes[0].startswith("checkpoint-6 is set aside: ")
    assert (tmp_path / "set-aside-checkpoint-6").is_dir()
    write(tmp_path, 9)
    checkpoints.prune(tmp_path, keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-3", "checkpoint-9"]


def test_a_half_written_checkpoint_is_removed(tmp_path: Path) -> None:
    """What a crash left in staging takes no space, with a note."""
    (tmp_path / ".staging-checkpoint-6" / "checkpoint-6").mkdir(parents=True)
    notes: list[str] = []
    assert checkpoints.find_start(tmp_path, notes.append) is None
    assert list(tmp_path.iterdir()) == []
    assert notes == ["a half-written checkpoint was removed: checkpoint-6"]


def test_a_first_start_has_nothing(tmp_path: Path) -> None:
    """No folder yet is no error."""
    assert checkpoints.find_start(tmp_path / "new", pytest.fail) is None


def test_measured_times_are_kept(tmp_path: Path) -> None:
    """A later attempt knows what a save takes; without a file, or with a broken one, it measures again."""
    assert checkpoints.read_times(tmp_path) == (0.0, 0.0)
    checkpoints.write_times(tmp_path, 2.5, 30.0)
    assert checkpoints.read_times(tmp_path) == (2.5, 30.0)
    (tmp_path / "save-times.json").write_text("[]")
    assert checkpoints.read_times(tmp_path) == (0.0, 0.0)


def test_what_does_not_fit_is_told_in_bytes(tmp_path: Path) -> None:
    """Nothing lacks for a byte; more than the disk has does not fit."""
    assert checkpoints.lacking_bytes(tmp_path, 1) == 0
    assert checkpoints.lacking_bytes(tmp_path, 1 << 60) > 0


@pytest.mark.parametrize(("stage", "gigabytes"), [(3, 94.3), (2, 107.8), (1, 107.8)])
def test_a_7b_checkpoint(stage: int, gigabytes: float) -> None:
    """The estimate covers the figure of the arithmetic (12 + 2 or 4 bytes a parameter) by at most 3 %."""
    assert gigabytes <= checkpoint_bytes(6_738_000_000, stage, "bf16") / 1e9 <= 1.03 * gigabytes


def test_a_7b_model() -> None:
    """Two bytes for each parameter and little more."""
    assert 13.476 <= model_bytes(6_738_000_000, "fp16") / 1e9 <= 13.6


def test_the_newest_checkpoint_is_the_best_guess(tmp_path: Path) -> None:
    """Its own manifest says how many bytes it has."""
    assert checkpoints.newest_bytes(tmp_path) == 0
    write(tmp_path, 3, "12345")
    assert checkpoints.newest_bytes(tmp_path) == 5
