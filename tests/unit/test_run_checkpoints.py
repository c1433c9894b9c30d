"""Checkpoints on disk are whole under their name, or not there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from templates.agent.manifest import check_manifest, newest_complete
from templates.training import checkpoints, leftovers, prune
from templates.training.errors import ForeignCheckpointError
from templates.training.metrics import Metrics
from templates.training.sizes import checkpoint_bytes, model_bytes
from templates.training.start import Start, find_start

_NOBODY = 65534


def write(folder: Path, step: int, text: str = "weights", **facts: object) -> Path:
    """Write a complete checkpoint the way the trainer does."""
    target = checkpoints.checkpoint_folder(str(folder), step)
    written = checkpoints.begin(target)
    (written / "global_step").mkdir()
    (written / "global_step" / "shard.pt").write_text(text)
    (written / "global_step" / "shard.pt").chmod(0o600)
    (written / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    checkpoints.commit(target, step=step, world_size=2, **facts)
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


def test_a_crash_between_the_two_names_loses_neither(tmp_path: Path) -> None:
    """The old one is put back when the new one is not whole, and the new one gets its name when it is."""
    for whole in (True, False):
        target = write(tmp_path, 8, "old")
        staging = checkpoints.staging_folder(target)
        written = write(staging, 8, "new")
        target.rename(staging / checkpoints.REPLACED)
        if not whole:
            (written / "trainer_state.json").unlink()
        notes: list[str] = []
        leftovers.clear(tmp_path, notes.append)
        assert (target / "global_step" / "shard.pt").read_text() == ("new" if whole else "old")
        assert check_manifest(target) == []
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-8"]
        assert notes == ["checkpoint-8 was being replaced when a crash came: it is whole"]
        prune.remove(target)


def test_parts_of_a_crash_never_become_parts_of_a_checkpoint(tmp_path: Path) -> None:
    """A save of the same step begins with an empty folder."""
    left = checkpoints.begin(tmp_path / "checkpoint-8")
    (left / "old-shard").touch()
    assert list(checkpoints.begin(tmp_path / "checkpoint-8").iterdir()) == []


def test_pruning_counts_complete_ones_only(tmp_path: Path) -> None:
    """A broken folder never pushes out a good one, and the newest complete one always stays."""
    for step in (3, 6, 9):
        write(tmp_path, step)
    (tmp_path / "checkpoint-12").mkdir()
    prune.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-12", "checkpoint-6", "checkpoint-9"]
    prune.prune(tmp_path, keep=0)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-9"


def test_half_of_a_pruned_checkpoint_has_no_name(tmp_path: Path) -> None:
    """Killed while its files go, it is neither counted nor taken; the next start removes the rest."""
    write(tmp_path, 3)
    trash = tmp_path / f"{prune.TRASH}checkpoint-1"
    write(tmp_path, 1).rename(trash)
    (trash / "trainer_state.json").unlink()
    # Likewise a conversion for another number of processes: only the start that made it may use it.
    converted = tmp_path / f"{leftovers.UNIVERSAL}checkpoint-3"
    (converted / "global_step3_universal").mkdir(parents=True)
    assert find_start([tmp_path], {}, Metrics(None)).step == 3
    assert sorted(tmp_path.iterdir()) == [tmp_path / "checkpoint-3"]


def test_room_is_made_of_old_ones(tmp_path: Path) -> None:
    """What was set aside goes first, then the oldest; the newest complete one stays, and nothing goes in vain."""
    for step in (3, 6, 9):
        write(tmp_path, step)
    (tmp_path / f"{prune.SET_ASIDE}checkpoint-12").mkdir()
    assert prune.make_room(tmp_path, 1) == (0, [])
    short, removed = prune.make_room(tmp_path, 1 << 60)
    assert short > 0
    assert removed == []
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", ["flipped", "missing", "extra", "no manifest"])
def test_a_damaged_checkpoint_is_set_aside(tmp_path: Path, damage: str) -> None:
    """Training goes on from the newest one that verifies; a note and an event say why a newer one does not count."""
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
    told = Told(tmp_path)
    start = find_start([tmp_path], {}, told.metrics)
    assert (start.folder, start.step) == (tmp_path / "checkpoint-3", 3)
    assert len(told.notes()) == 1
    event = told.events("set_aside")[0]
    assert told.notes() == [f"checkpoint-6 is set aside: {event['reason']}"]
    assert (event["checkpoint"], event["step"]) == ("checkpoint-6", 6)
    assert (tmp_path / "set-aside-checkpoint-6").is_dir()
    write(tmp_path, 9)
    prune.prune(tmp_path, keep=3)
    assert sorted(path.name for path in tmp_path.glob("*check*")) == ["checkpoint-3", "checkpoint-9"]


def test_what_is_set_aside_stays_until_a_complete_one_follows(tmp_path: Path) -> None:
    """Also when the same step is damaged twice."""
    for _ in range(2):
        (write(tmp_path, 6) / "MANIFEST.json").unlink()
        assert find_start([tmp_path], {}, Metrics(None)) == Start()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["set-aside-checkpoint-6", "set-aside-checkpoint-6.2"]


def test_a_half_written_checkpoint_is_removed(tmp_path: Path) -> None:
    """What a crash left in staging takes no space, with a note."""
    folder = tmp_path / "checkpoints"
    (folder / ".staging-checkpoint-6" / "checkpoint-6").mkdir(parents=True)
    told = Told(tmp_path)
    assert find_start([folder], {}, told.metrics) == Start()
    assert list(folder.iterdir()) == []
    assert told.notes() == ["a half-written checkpoint was removed: checkpoint-6"]


def test_a_first_start_has_nothing(tmp_path: Path) -> None:
    """No folder yet is no error."""
    assert find_start([tmp_path / "new"], {}, Metrics(None)) == Start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody who may not read a file")
def test_a_file_that_may_not_be_read_is_a_reason() -> None:
    """The start says so and takes the checkpoint before it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, 3)
        (write(folder, 6) / "global_step" / "shard.pt").chmod(0)
        for path in (folder, folder / "checkpoint-6"):
            os.chown(path, _NOBODY, _NOBODY)
        told = Told(folder)
        os.seteuid(_NOBODY)
        try:
            start = find_start([folder], {}, told.metrics)
        finally:
            os.seteuid(0)
        assert start.step == 3
        assert told.notes() == ["checkpoint-6 is set aside: unreadable: global_step/shard.pt: Permission denied"]


def test_several_roots_are_one(tmp_path: Path) -> None:
    """The newest complete one counts wherever it is; of two of one step the earlier root's is taken."""
    fast, durable = tmp_path / "fast", tmp_path / "durable"
    write(durable, 3)
    write(durable, 6)
    write(fast, 6)
    assert find_start([fast, durable], {}, Metrics(None)).folder == fast / "checkpoint-6"
    (fast / "checkpoint-6" / "trainer_state.json").unlink()
    assert find_start([fast, durable], {}, Metrics(None)).folder == durable / "checkpoint-6"


RUN = {"base": "a", "data": "b", "longest_row": 512, "seed": 42}


def test_another_runs_checkpoints_are_not_gone_on_from(tmp_path: Path) -> None:
    """Where nothing else is there, the start is refused with what differs, and nothing is touched."""
    write(tmp_path, 6, run={**RUN, "data": "c", "longest_row": 2048})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ForeignCheckpointError, match=r"the data, --model_max_length \(then 2048, now 512\); undo"):
        find_start([tmp_path], RUN, Metrics(None))
    assert sorted(tmp_path.rglob("*")) == before


def test_another_runs_checkpoint_beside_ours_is_kept_for_its_owner(tmp_path: Path) -> None:
    """It is put aside where no pruning finds it, and ours is taken."""
    write(tmp_path, 3, run=RUN)
    write(tmp_path, 6, run={**RUN, "base": "b"})
    told = Told(tmp_path)
    assert find_start([tmp_path], RUN, told.metrics).step == 3
    assert told.notes() == ["checkpoint-6 is set aside: it is another run's: the base model"]
    write(tmp_path, 9, run=RUN)
    prune.prune(tmp_path, keep=1)
    assert sorted(path.name for path in tmp_path.glob("*check*")) == ["checkpoint-9", "foreign-checkpoint-6"]


def test_a_checkpoint_without_a_runs_name_counts(tmp_path: Path) -> None:
    """Earlier versions wrote no such thing."""
    write(tmp_path, 6)
    assert find_start([tmp_path], RUN, Metrics(None)).step == 6


def test_measured_times_are_kept(tmp_path: Path) -> None:
    """A later attempt knows what a save takes; without a file, or with a broken one, it measures again."""
    assert checkpoints.read_times(tmp_path) == (0.0, 0.0)
    checkpoints.write_times(tmp_path, 2.5, 30.0)
    assert checkpoints.read_times(tmp_path) == (2.5, 30.0)
    (tmp_path / "save-times.json").write_text("[]")
    assert checkpoints.read_times(tmp_path) == (0.0, 0.0)


def test_what_does_not_fit_is_told_in_bytes(tmp_path: Path) -> None:
    """Nothing lacks for a byte; more than the disk has does not fit."""
    assert prune.lacking_bytes(tmp_path, 1) == 0
    assert prune.lacking_bytes(tmp_path, 1 << 60) > 0


@pytest.mark.parametrize(("stage", "gigabytes"), [(3, 94.3), (2, 107.8), (1, 107.8)])
def test_a_7b_checkpoint(stage: int, gigabytes: float) -> None:
    """The estimate covers the figure of the arithmetic (12 + 2 or 4 bytes a parameter) by at most 3 %."""
    assert gigabytes <= checkpoint_bytes(6_738_000_000, stage, "bf16") / 1e9 <= 1.03 * gigabytes


def test_a_7b_model() -> None:
    """Two bytes for each parameter and little more."""
    assert 13.476 <= model_bytes(6_738_000_000, "fp16") / 1e9 <= 13.6


def test_the_newest_checkpoint_is_the_best_guess(tmp_path: Path) -> None:
    """Its own manifest says how many bytes it has."""
    assert prune.newest_bytes(tmp_path) == 0
    write(tmp_path, 3, "12345")
    assert prune.newest_bytes(tmp_path) == 5 + len('{"global_step": 3}')
