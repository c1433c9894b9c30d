"""The drain brings the newest checkpoint from scratch to the durable disk: whole, compared, or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent.manifest import check_manifest, newest_complete
from templates.training import drain_state, scratch
from templates.training.drain import Drain
from templates.training.drain_copy import CHUNK_BYTES, Copy, DamagedError
from templates.training.pace import Pace
from tests.fakes.written_checkpoints import same_content, steps_in, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Disks:
    """Scratch, and a run folder on the durable disk."""

    scratch: Path
    run_folder: Path

    @property
    def durable(self) -> Path:
        """The durable checkpoints."""
        return self.run_folder / "checkpoints"

    def drain(self, keep: int = 2) -> Drain:
        """A drain that has just been started."""
        drain = Drain(self.scratch, self.durable, keep)
        drain.clean_up()
        return drain

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What metrics.jsonl says of a kind."""
        path = self.run_folder / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    """Two empty disks."""
    made = Disks(tmp_path / "scratch", tmp_path / "run")
    made.scratch.mkdir()
    made.durable.mkdir(parents=True)
    return made


def test_the_newest_one_becomes_durable(disks: Disks) -> None:
    """Byte for byte, with its manifest; the older undrained one is never copied, and an event has the figures."""
    write_checkpoint(disks.scratch, 4)
    source = write_checkpoint(disks.scratch, 8)
    assert disks.drain().look()
    assert steps_in(disks.durable) == [8]
    assert check_manifest(disks.durable / "checkpoint-8") == []
    assert same_content(source, disks.durable / "checkpoint-8")
    (event,) = disks.events("drained")
    assert event["step"] == 8
    assert event["bytes"] > 1000
    assert event["bytes_per_second"] > 0
    assert drain_state.read_progress(disks.run_folder) is None


def test_nothing_is_left_to_do_afterwards(disks: Disks) -> None:
    """What is durable is not drained again, and no pin, staging or progress stays."""
    write_checkpoint(disks.scratch, 4)
    drain = disks.drain()
    assert drain.look()
    assert not drain.look()
    assert [path.name for path in disks.durable.iterdir()] == ["checkpoint-4"]
    assert [path.name for path in disks.scratch.iterdir()] == ["checkpoint-4"]


def test_old_ones_go_after_the_new_one_is_durable(disks: Disks) -> None:
    """As many stay as were asked for."""
    drain = disks.drain(keep=2)
    for step in (4, 8, 12):
        write_checkpoint(disks.scratch, step)
        drain.look()
    assert steps_in(disks.durable) == [8, 12]


def test_what_is_being_drained_may_be_pruned_on_scratch(disks: Disks) -> None:
    """The drain holds the files by other names."""
    source = write_checkpoint(disks.scratch, 4)
    with scratch.pinned(source) as held:
        shutil.rmtree(source)
        Copy(held, disks.durable / "checkpoint-4", pace=Pace(), tell=lambda *_: None).run()
    assert check_manifest(disks.durable / "checkpoint-4") == []
    assert list(disks.scratch.iterdir()) == []


def test_a_damaged_one_is_never_durable(disks: Disks) -> None:
    """It is set aside on scratch with a note; the next one is drained as ever."""
    damaged = write_checkpoint(disks.scratch, 4)
    with (damaged / "global_step4" / "shard.pt").open("r+b") as file:
        file.write(b"x")
    drain = disks.drain()
    drain.look()
    assert list(disks.durable.iterdir()) == []
    assert newest_complete(disks.scratch) is None
    assert (
        "checkpoint-4 on scratch is set aside: wrong content: global_step4/shard.pt" in disks.events("note")[0]["text"]
    )
    trouble = drain_state.read_trouble(disks.run_folder)
    assert trouble is not None
    assert trouble.step == 4
    write_checkpoint(disks.scratch, 8)
    drain.look()
    assert steps_in(disks.durable) == [8]
    assert drain_state.read_trouble(disks.run_folder) is None


class KilledError(Exception):
    """Stands for a kill."""


def copy_until(source: Path, target: Path, most_bytes: int) -> None:
    """Copy and die after so many bytes; each MiB is durable."""

    def tell(done: int, _total: int) -> None:
        if done >= most_bytes:
            raise KilledError

    with pytest.raises(KilledError):
        Copy(source, target, pace=Pace(), tell=tell, flush_bytes=CHUNK_BYTES).run()


def test_an_interrupted_copy_is_taken_up(disks: Disks) -> None:
    """Also in the middle of a file: only what was not durable yet is written again, and all of it is compared."""
    source, target = write_checkpoint(disks.scratch, 4, size=5 * CHUNK_BYTES), disks.durable / "checkpoint-4"
    copy_until(source, target, 3 * CHUNK_BYTES + 1)
    pace = Pace()
    copy = Copy(source, target, pace=pace, tell=lambda *_: None)
    assert copy.missing_bytes < 3 * CHUNK_BYTES
    told: list[int] = []
    Copy(source, target, pace=pace, tell=lambda done, _: told.append(done)).run()
    assert told[0] >= 2 * CHUNK_BYTES
    assert same_content(source, target)


def test_progress_without_its_bytes_counts_for_nothing(disks: Disks) -> None:
    """A power cut may take the bytes of a file that its progress names: they are copied again."""
    source, target = write_checkpoint(disks.scratch, 4, size=3 * CHUNK_BYTES), disks.durable / "checkpoint-4"
    copy_until(source, target, 2 * CHUNK_BYTES + 1)
    (disks.durable / ".draining-checkpoint-4" / "checkpoint-4" / "global_step4" / "shard.pt").unlink()
    Copy(source, target, pace=Pace(), tell=lambda *_: None).run()
    assert same_content(source, target)


def test_a_copy_of_another_state_of_the_step_is_not_taken_up(disks: Disks) -> None:
    """After a restart the same step is saved anew; bytes of the former one must never be mixed with it."""
    target = disks.durable / "checkpoint-4"
    source = write_checkpoint(disks.scratch, 4, size=3 * CHUNK_BYTES)
    copy_until(source, target, 2 * CHUNK_BYTES + 1)
    shutil.rmtree(source)
    source = write_checkpoint(disks.scratch, 4, size=3 * CHUNK_BYTES + 7)
    Copy(source, target, pace=Pace(), tell=lambda *_: None).run()
    assert same_content(source, target)
    assert check_manifest(target) == []


def test_a_copy_that_nobody_will_take_up_is_removed(disks: Disks) -> None:
    """The machine and its scratch were lost: the next one begins with the whole disk."""
    source = write_checkpoint(disks.scratch, 4, size=3 * CHUNK_BYTES)
    copy_until(source, disks.durable / "checkpoint-4", 2 * CHUNK_BYTES + 1)
    shutil.rmtree(source)
    disks.drain()
    assert list(disks.durable.iterdir()) == []


def test_wrong_bytes_of_an_earlier_copy_are_noticed(disks: Disks) -> None:
    """What is read again from scratch is compared, too: a file that changed there is never durable."""
    source, target = write_checkpoint(disks.scratch, 4, size=3 * CHUNK_BYTES), disks.durable / "checkpoint-4"
    copy_until(source, target, 2 * CHUNK_BYTES + 1)
    with (source / "global_step4" / "shard.pt").open("r+b") as file:
        file.write(b"x")
    with pytest.raises(DamagedError):
        Copy(source, target, pace=Pace(), tell=lambda *_: None).run()
    assert not target.exists()


def test_it_is_held_to_a_rate(disks: Disks) -> None:
    """A slow disk can be rehearsed; the rate that it tells is what it got."""
    source, pace = write_checkpoint(disks.scratch, 4, size=4 * MIB), Pace(20e6)
    Copy(source, disks.durable / "checkpoint-4", pace=pace, tell=lambda *_: None).run()
    assert pace.bytes_per_second <= 20e6


def test_a_drain_that_died_is_not_said_to_go_on(disks: Disks) -> None:
    """Its last words are old, and count for nothing."""
    drain_state.write_progress(disks.run_folder, drain_state.Progress(4, 10, 5, 1.0, updated_at=0.0))
    assert drain_state.read_progress(disks.run_folder) is None
