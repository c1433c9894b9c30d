"""How fast files move to a machine and back, against rsync, scp, sftp and tar over ssh that do the same work.

The machine is a real OpenSSH server on this computer; long links are a delay line in a process of its own, through
which everybody goes. Everybody uses one cipher, begins with its own connection, and ends when SHA-256 of every file has
been compared and the files are on the disk. Ways take turns, so that what else the computer does weighs on all alike.
Last line: {"rows": [{"case": c, "link": l, "ratio_to_best_peer": x, ...}, ...], ...}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from remote.types import Endpoint, FileDigest
from tests.fakes.ssh_machine import SshMachine, ssh_machine
from tests.fakes.transfer_peers import Measured, Peers

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = "ours"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much moves: bytes of the one file, number of small files, files of 1 MiB in the changed tree."""

    big_bytes: int
    many: int
    tree_files: int


@dataclass(frozen=True, slots=True)
class Case:
    """One row's work.

    Attributes:
        name: `file`, `many` or `changed`.
        direction: `up` or `down`.
        ways: Who does it in reasonable time; ours always does.
    """

    name: str
    direction: str
    ways: tuple[str, ...]


FULL = Sizes(2 * 2**30, 10_000, 1024)
QUICK = Sizes(64 * 2**20, 500, 32)
# scp and sftp take a round trip and more for each file: with ten thousand on a long link, hours.
CASES = (
    Case("file", "up", ("rsync", "scp", "sftp", "tar")),
    Case("file", "down", ("rsync", "scp", "sftp", "tar")),
    Case("many", "up", ("rsync", "tar")),
    Case("many", "down", ("rsync", "tar")),
    Case("changed", "up", ("rsync", "tar")),
)
LINKS = {"loopback": 0.0, "50 ms": 0.025, "150 ms": 0.075}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample within a minute")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, help="size of the one file")
    parser.add_argument("--many", type=int, help="number of small files")
    parser.add_argument("--tree", type=int, help="files of 1 MiB in the changed tree")
    parser.add_argument("--links", nargs="+", choices=LINKS, help="which links")
    parser.add_argument("--cases", nargs="+", help="which cases, for example file-up")
    parser.add_argument("--side-by-side", action="store_true", help="all peers at once on a long link")
    parser.add_argument("--ours", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(_move_as_told(json.loads(arguments.ours))))
        return
    standard = QUICK if arguments.quick else FULL
    sizes = Sizes(
        (arguments.mib or 0) * 2**20 or standard.big_bytes,
        arguments.many or standard.many,
        arguments.tree or standard.tree_files,
    )
    links = arguments.links or (["loopback", "50 ms"] if arguments.quick else list(LINKS))
    rounds = 1 if arguments.quick else arguments.rounds
    cases = [case for case in CASES if not arguments.cases or f"{case.name}-{case.direction}" in arguments.cases]
    with tempfile.TemporaryDirectory() as folder, ssh_machine(Path(folder) / "m") as machine:
        bench = Bench(Path(folder), machine, sizes, side_by_side=arguments.side_by_side)
        rows = [row for link in links for row in bench.rows(link, _asked(cases, link, quick=arguments.quick), rounds)]
    print(json.dumps({"rows": rows, "rounds": rounds, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}))


def _asked(cases: list[Case], link: str, *, quick: bool) -> list[Case]:
    """A minute is too short for everybody on a long link."""
    if not (quick and LINKS[link]):
        return cases
    return [replace(case, ways=("scp", "tar")) for case in cases if case.name == "file"]


class Bench:
    """One machine, one set of sources."""

    def __init__(self, folder: Path, machine: SshMachine, sizes: Sizes, *, side_by_side: bool) -> None:
        self._folder = folder
        self._machine = machine
        self._side_by_side = side_by_side
        self._sources = {
            "file": _write(folder / "file", 1, sizes.big_bytes),
            "many": _write(folder / "many", sizes.many, 4096),
            "changed": _write(folder / "changed", sizes.tree_files, 2**20),
        }
        self._manifests = {name: _manifest(path) for name, path in self._sources.items()}

    def rows(self, link: str, cases: list[Case], rounds: int) -> Iterator[dict[str, object]]:
        """Measure all cases on one link."""
        with _line(self._machine.endpoint, LINKS[link]) as endpoint:
            for case in cases:
                at_once = len(case.ways) if self._side_by_side and LINKS[link] else 1
                taken: dict[str, list[Measured]] = {way: [] for way in (_OURS, *case.ways)}
                for _ in range(rounds):
                    taken[_OURS].append(self._measure(_OURS, case, endpoint))
                    with ThreadPoolExecutor(at_once) as pool:
                        measured = pool.map(self._measure, case.ways, repeat(case), repeat(endpoint))
                        for way, one in zip(case.ways, measured, strict=True):
                            taken[way].append(one)
                yield _row(case, link, taken)

    @contextmanager
    def _room(self, way: str, case: Case) -> Iterator[Path]:
        """A folder for one transfer; that of many files stays until all is measured.

        ext4 without a journal leaves inodes alone that were freed in the last minutes, and looks at each of them for
        every new file (`recently_deleted` in fs/ext4/ialloc.c): a round would pay for what the one before deleted.
        """
        folder = Path(tempfile.mkdtemp(dir=self._folder, prefix=way))
        yield folder
        if case.name != "many":
            shutil.rmtree(folder)

    def _measure(self, way: str, case: Case, endpoint: Endpoint) -> Measured:
        source = self._sources[case.name]
        with self._room(way, case) as folder:
            target = folder / "target"
            target.mkdir()
            if case.name == "changed":
                _age(source, target)
            os.sync()  # what went before is not on our bill
            if way != _OURS:
                return Peers(endpoint, folder / "peer").measure(way, case.direction, source, target)
            return _ours(case, endpoint, source, target, self._manifests[case.name])


def _row(case: Case, link: str, taken: dict[str, list[Measured]]) -> dict[str, object]:
    seconds = {way: statistics.median(one.seconds for one in all_) for way, all_ in taken.items()}
    cpu = {way: round(statistics.median(one.cpu_seconds for one in all_), 2) for way, all_ in taken.items()}
    best = min(case.ways, key=lambda way: seconds[way])
    ratio = seconds[best] / seconds[_OURS]
    name = f"{case.name}-{case.direction}"
    told = "  ".join(f"{way} {value:.2f}" for way, value in seconds.items())
    print(f"{name:<14}{link:<10} {ratio:5.2f} of {best:<6} {told}", flush=True)
    return {
        "case": name,
        "link": link,
        "ratio_to_best_peer": round(ratio, 2),
        "best_peer": best,
        "seconds": {way: round(value, 2) for way, value in seconds.items()},
        "cpu_seconds": cpu,
        "peak_mib": round(max(one.peak_mib for one in taken[_OURS])),
    }


def _ours(case: Case, endpoint: Endpoint, source: Path, target: Path, manifest: list[FileDigest]) -> Measured:
    listed = target.parent / "manifest.json"
    listed.write_text(json.dumps([[file.path, file.size_bytes, file.sha256] for file in manifest]))
    told = {
        "host": endpoint.host, "port": endpoint.port, "user": endpoint.username, "key": str(endpoint.key_file),
        "host_keys": endpoint.host_keys, "direction": case.direction, "source": str(source), "target": str(target),
        "manifest": str(listed),
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.benchmarks.transfer", "--ours", json.dumps(told)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _move_as_told(told: dict[str, str]) -> dict[str, float]:
    """In a process of its own: from the connection to the last rename. A command has started Python long before."""
    from remote.fetch import fetch_tree
    from remote.session import Session
    from remote.transfer import send_tree

    host_keys = tuple(told["host_keys"])
    endpoint = Endpoint(told["host"], int(told["port"]), told["user"], Path(told["key"]), host_keys)
    manifest = [FileDigest(*row) for row in json.loads(Path(told["manifest"]).read_text())]
    before = os.times()
    began = time.perf_counter()
    with Session.connect(endpoint, deadline_seconds=30) as session:
        if told["direction"] == "up":
            send_tree(session, Path(told["source"]), told["target"])
        else:
            fetch_tree(session, told["source"], Path(told["target"]), manifest)
    seconds = time.perf_counter() - began
    after = os.times()
    return {"seconds": seconds, "cpu_seconds": sum(after[:4]) - sum(before[:4]), "peak_mib": _peak_mib()}


def _peak_mib() -> float:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


@contextmanager
def _line(endpoint: Endpoint, delay_seconds: float) -> Iterator[Endpoint]:
    """The machine behind a link of that length."""
    if not delay_seconds:
        yield endpoint
        return
    command = [sys.executable, "-m", "tests.fakes.tcp_proxy", str(endpoint.port), "--delay", str(delay_seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proxy:
        assert proxy.stdout is not None
        port = int(proxy.stdout.readline())
        try:
            yield Endpoint(endpoint.host, port, endpoint.username, endpoint.key_file, endpoint.host_keys)
        finally:
            proxy.communicate()


def _write(folder: Path, files: int, size: int) -> Path:
    """Files that no compression and no hole makes smaller, a hundred in each folder."""
    for number in range(files):
        path = folder / str(number // 100) / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for start in range(0, size, 2**24):
                file.write(os.urandom(min(2**24, size - start)))
    return folder


def _manifest(folder: Path) -> list[FileDigest]:
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(FileDigest(path.relative_to(folder).as_posix(), path.stat().st_size, digest))
    return found


def _age(source: Path, target: Path) -> None:
    """The tree as it was before one file in a hundred changed; the size and the time of change say nothing."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for number, path in enumerate(sorted(path for path in target.rglob("*") if path.is_file())):
        if number % 100 == 0:
            status = path.stat()
            path.write_bytes(os.urandom(status.st_size))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


if __name__ == "__main__":
    main()
