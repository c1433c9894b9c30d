"""Transfers whose connection is cut at random points: is every file whole in the end, and what is sent again?

Each transfer of a tree (one file in cells, many small ones, an empty one) is cut four times in a row, then may end.
Cuts are resets, silence, half-open connections, a killed SSH server, and disks that fill up on either side while bytes
move (only where a small filesystem may be mounted: as root on Linux). The machine is a real OpenSSH server.
Last line: {"cuts": n, "corrupt": n, "missing": n, "bytes_sent_again": n, ...}.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from tests.fakes.cut_transfers import CutTransfers


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="24 cuts")
    parser.add_argument("--cuts", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        CutTransfers(Path(folder) / "work", arguments.seed) as transfers,
    ):
        tally = transfers.run(24 if arguments.quick else arguments.cuts)
    for kind, count in sorted(tally.cuts.items()):
        print(f"{kind:<24}{count:>5}")
    for line in tally.unexplained:
        print(f"unexplained: {line}")
    figures = {
        "cuts": tally.total,
        "corrupt": tally.corrupt,
        "missing": tally.missing,
        "bytes_sent_again": tally.bytes_sent_again,
        "sent_again_per_cut": round(tally.bytes_sent_again / max(1, tally.total)),
        "unexplained": len(tally.unexplained),
        "missed": tally.missed,
        "by_kind": tally.cuts,
        "seed": arguments.seed,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
