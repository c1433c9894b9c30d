from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.cut_transfers import CutTransfers

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sample_of_cuts_leaves_every_file_whole(tmp_path: Path) -> None:
    """Cut at random points in every way, both directions: nothing corrupt, nothing missing, every failure explained."""
    with CutTransfers(tmp_path / "work", seed=7) as transfers:
        tally = transfers.run(10)
    assert tally.total == 10
    # A whole transfer is 19 MB; what a cut costs is what was under way and in buffers.
    assert tally.bytes_sent_again < 10 * 5_000_000
    assert (tally.corrupt, tally.missing, tally.unexplained) == (0, 0, [])
