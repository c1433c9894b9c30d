"""A conversion for another number of processes is never left half-made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from templates.training.errors import ConversionError, NoSpaceError
from templates.training.universal import convert

if TYPE_CHECKING:
    from pathlib import Path


def checkpoint(folder: Path, shard_bytes: int) -> Path:
    """Make a folder that looks like a checkpoint of one process, with a shard that is one hole."""
    made = folder / "checkpoint-6"
    (made / "global_step6").mkdir(parents=True)
    (made / "rng_state.pth").touch()
    with (made / "global_step6" / "shard.pt").open("wb") as file:
        file.truncate(shard_bytes)
    return made


def test_what_does_not_fit_is_refused_with_the_numbers(tmp_path: Path) -> None:
    """Pieces and whole parameters are on the disk at once: twice the shards."""
    made = checkpoint(tmp_path, 1 << 43)
    with pytest.raises(NoSpaceError, match=r"for 2 processes takes 17,592,186,044,416 bytes: [\d,]+ bytes short"):
        convert(made, 6, processes=2)
    assert list(tmp_path.iterdir()) == [made]


def test_what_deepspeed_cannot_convert_leaves_nothing(tmp_path: Path) -> None:
    """The checkpoint is untouched, and the reason is the converter's own last line."""
    made = checkpoint(tmp_path, 10)
    before = sorted(path.name for path in made.rglob("*"))
    with pytest.raises(
        ConversionError, match=r"could not convert checkpoint-6 for another number of processes: .*deeps"
    ):
        convert(made, 6, processes=2)
    assert list(tmp_path.iterdir()) == [made]
    assert sorted(path.name for path in made.rglob("*")) == before
