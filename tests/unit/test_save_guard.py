"""What fails on one rank is kept until all can talk about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from templates.training.save_guard import SaveGuard, guarded
from tests.fakes.saving_engine import Engine, FileEngine, refuse

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failure_is_kept_and_gives_its_room_back(tmp_path: Path) -> None:
    """Nothing is raised, nothing more is written, and what was written makes room for the others' few bytes."""
    folder = tmp_path / ".staging-checkpoint-6"
    folder.mkdir()
    shard, small = folder / "shard", folder / "small"
    guard = SaveGuard(folder)
    guard.attempt(lambda: shard.write_bytes(bytes(100_000)))
    guard.attempt(lambda: small.write_bytes(bytes(10)))
    assert guard.failure() is None
    guard.attempt(refuse)
    guard.attempt((folder / "later").touch)
    assert (shard.stat().st_size, small.stat().st_size) == (0, 10)
    assert not (folder / "later").exists()
    failure = guard.failure()
    assert failure is not None
    # This disk has room: whatever the error says, the kind goes by what was free.
    assert failure.kind == "save_failed"
    assert failure.text.startswith("[Errno 28] No space left on device (")
    assert failure.text.endswith(" bytes free)")


@pytest.mark.parametrize("full", ["", "first", "second"])
def test_deepspeed_writes_under_the_guard(tmp_path: Path, full: str) -> None:
    """Each file is an attempt; rank 0 says which step is the latest only when everything of it was written."""
    writer = FileEngine(full)
    engine, guard = Engine(writer), SaveGuard(tmp_path)
    with guarded(engine, guard, tmp_path):
        during = engine.checkpoint_engine
        assert during.is_decoupled()  # type: ignore[attr-defined]  # while guarded it is another
        assert during.load("a path") == "a path"
        for name in ("first", "second"):
            during.save({}, str(tmp_path / name))
        engine._copy_recovery_script("folder")
    assert engine.checkpoint_engine is writer
    assert "_copy_recovery_script" not in vars(engine)
    assert engine.scripts == ([] if full else ["folder"])
    assert (guard.failure() is None) == (not full)
    assert (tmp_path / "second").exists() == (full != "first")
    assert [path.read_text() for path in tmp_path.glob("latest")] == ([] if full else ["global_step6"])
