"""Disk arithmetic: the measured figures come out, and more of anything never needs less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.plan.disk import GIB, DiskNeed, choose_disk
from templates.training.sizes import checkpoint_bytes

LLAMA_7B = 6_738_415_616

NEED_7B = DiskNeed(
    weights=2 * LLAMA_7B, checkpoint=checkpoint_bytes(LLAMA_7B, 3, "bf16"), checkpoints=4, final=2 * LLAMA_7B,
    data=1_000_000_000, environment=12_000_000_000,
)  # fmt: skip


@pytest.mark.parametrize(("stage", "gigabytes"), [(3, 94.3), (2, 107.8), (1, 107.8)])
def test_a_7b_checkpoint_is_as_large_as_measured(stage: int, gigabytes: float) -> None:
    """94.3 GB under ZeRO-3, 107.8 GB under ZeRO-1 and -2."""
    assert round(checkpoint_bytes(LLAMA_7B, stage, "bf16") / 1e9, 1) == gigabytes


def test_three_kept_checkpoints_of_7b_take_what_was_measured() -> None:
    """377 GB for three and the one being written; the whole fits on 512 GB, and is given 1 TiB."""
    assert round(NEED_7B.checkpoint * NEED_7B.checkpoints / 1e9) == 377
    assert 400e9 < NEED_7B.total < 512e9
    disk = choose_disk(NEED_7B, "Premium_LRS", wanted_gib=None, machine_mb_per_second=4000, parameters=LLAMA_7B)
    assert (disk.gib, disk.tier, disk.mb_per_second) == (1024, "P30", 200)


def test_the_machine_can_be_slower_than_the_disk() -> None:
    """A small machine moves no more than it can, whatever the disk."""
    disk = choose_disk(NEED_7B, "Premium_LRS", wanted_gib=None, machine_mb_per_second=85, parameters=LLAMA_7B)
    assert disk.mb_per_second == 85


def test_a_wanted_size_is_kept_and_billed_as_its_tier() -> None:
    """600 GiB is a P30's price and speed."""
    disk = choose_disk(NEED_7B, "Premium_LRS", wanted_gib=600, machine_mb_per_second=4000, parameters=LLAMA_7B)
    assert (disk.gib, disk.tier, disk.mb_per_second) == (600, "P30", 200)


@pytest.mark.parametrize(("kind", "speed"), [("PremiumV2_LRS", 125), ("StandardSSD_LRS", 60)])
def test_other_disks_have_no_tier(kind: str, speed: int) -> None:
    """They take any size, at a speed of their own."""
    need = replace(NEED_7B, checkpoints=10)
    disk = choose_disk(need, kind, wanted_gib=None, machine_mb_per_second=4000, parameters=LLAMA_7B)
    assert disk.gib * GIB >= need.total
    assert (disk.tier, disk.mb_per_second) == ("", speed)


_BYTES = st.integers(min_value=0, max_value=10**13)
_NEEDS = st.builds(
    DiskNeed,
    weights=_BYTES,
    checkpoint=_BYTES,
    checkpoints=st.integers(1, 30),
    final=_BYTES,
    data=_BYTES,
    environment=_BYTES,
)


@given(_NEEDS, st.sampled_from(["weights", "checkpoint", "checkpoints", "final", "data", "environment"]))
def test_more_of_anything_never_needs_a_smaller_disk(need: DiskNeed, part: str) -> None:
    """Monotonic in every part, so also in the number kept."""
    more = replace(need, **{part: getattr(need, part) + 1})
    assert more.total >= need.total
    assert _gib(more) >= _gib(need)


@given(_NEEDS.filter(lambda need: need.total <= 32767 * GIB))
def test_the_disk_holds_what_must_fit(need: DiskNeed) -> None:
    """The chosen disk is never too small."""
    assert _gib(need) * GIB >= need.total


def _gib(need: DiskNeed) -> int:
    return choose_disk(need, "Premium_LRS", wanted_gib=None, machine_mb_per_second=4000, parameters=1).gib
