"""How long our commands take to answer, against those that people know: `sky`, `dstack`, `az`.

Ours are `llamalift --help`, `ls` and `status --json` with 100 runs in the journal. Each peer comes from its own package
in its own virtual environment (`.work/peers/NAME`, made when it is not there), with a home folder of its own and no
account. They are run in turn, so that whatever else the machine does weighs on all alike (those that take seconds after
the others, in fewer rounds); the figure is the ratio of medians of wall time. `sky status` begins a server of its own,
which is measured warm and ended afterwards; with --quick it is left out, and `sky --help`, which asks no server, stands
for it.
Last line: {"rows": [{"command": c, "peer": p, "ratio": x, "ms": ours, "peer_ms": theirs}, ...], "missing": {...}, ...}.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.commands import status
from runs.state_folder import StateFolder
from tests.benchmarks.startup import fill_journal, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PEERS = Path(".work/peers").absolute()
RUNS = 100
_INSTALL_SECONDS = 600
# Without a run it tells of all of them, where this version can; else of one.
_RUN = () if "fleet" in inspect.getsource(status) else ("bench-000000",)


@dataclass(frozen=True, slots=True)
class Peer:
    """A program of somebody else's: its package and its name."""

    package: str
    program: str

    @property
    def path(self) -> Path:
        """Where its program is."""
        return PEERS / self.package / "bin" / self.program


SKY, DSTACK, AZ = Peer("skypilot", "sky"), Peer("dstack", "dstack"), Peer("azure-cli", "az")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, and no server of a peer")
    quick = parser.parse_args().quick
    missing = {peer.package: why for peer in (SKY, DSTACK, AZ) if (why := install(peer))}
    with tempfile.TemporaryDirectory() as folder:
        fill_journal(StateFolder(Path(folder)), runs=RUNS)
        home = PEERS / "home"
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "LLAMALIFT_STATE_DIR": folder,
            "HOME": str(home),
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        }
        try:
            every = commands(missing, quick=quick)
            slow = {name: argv for name, argv in every.items() if name.startswith(("sky", "dstack"))}
            seconds = measure(
                {name: every[name] for name in every if name not in slow}, environment, 5 if quick else 20
            )
            # A round of these takes longer than all of the others.
            seconds |= measure(slow, environment, 1 if quick else 5)
        finally:
            if not quick and SKY.package not in missing:
                subprocess.run([SKY.path, "api", "stop"], env=environment, check=False, capture_output=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:<26} median {median * 1000:8.1f} ms")
    rows = [row(ours, theirs, medians) for ours, theirs in pairs(quick=quick) if theirs in medians]
    print(
        json.dumps(
            {
                "rows": rows,
                "worst_ratio": max((float(str(one["ratio"])) for one in rows), default=None),
                "runs": RUNS,
                "missing": missing,
            }
        )
    )


def row(ours: str, theirs: str, medians: Mapping[str, float]) -> dict[str, object]:
    """One comparison."""
    return {
        "command": ours, "peer": theirs, "ratio": round(medians[ours] / medians[theirs], 3),
        "ms": round(medians[ours] * 1000, 1), "peer_ms": round(medians[theirs] * 1000, 1),
    }  # fmt: skip


def pairs(*, quick: bool) -> Sequence[tuple[str, str]]:
    """What is compared with what."""
    listing = "sky --help" if quick else "sky status"
    return [
        *(("llamalift --help", peer) for peer in ("sky --help", "dstack --help", "az --help")),
        ("llamalift ls", listing),
        ("llamalift status --json", listing),
    ]


def commands(missing: Mapping[str, str], *, quick: bool) -> dict[str, list[str]]:
    """Each command by its name, as far as its program is here."""
    llamalift = str(Path(sys.executable).with_name("llamalift"))
    known: dict[str, list[str]] = {
        "llamalift --help": [llamalift, "--help"],
        "llamalift ls": [llamalift, "ls"],
        "llamalift status --json": [llamalift, "status", "--json", *_RUN],
    }
    for peer in (SKY, DSTACK, AZ):
        if peer.package not in missing:
            known[f"{peer.program} --help"] = [str(peer.path), "--help"]
    if not quick and SKY.package not in missing:
        known["sky status"] = [str(SKY.path), "status"]
    return known


def install(peer: Peer) -> str:
    """Make its environment unless it is there; why that does not work, or empty."""
    if peer.path.exists():
        return ""
    folder, uv = PEERS / peer.package, str(Path(sys.executable).with_name("uv"))
    python = str(folder / "bin" / "python")
    for argv in (
        [uv, "venv", "--quiet", "--clear", str(folder)],
        [uv, "pip", "install", "--quiet", "--python", python, peer.package],
    ):
        print(f"installing {peer.package}", file=sys.stderr)
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"not installed after {_INSTALL_SECONDS} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return "" if peer.path.exists() else f"the package has no program {peer.program}"


if __name__ == "__main__":
    main()
