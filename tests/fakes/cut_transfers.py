"""Transfers that are cut again and again, each time somewhere else and in another way, until they may end."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from remote.errors import RemoteError
from remote.fetch import fetch_tree
from remote.session import Session
from remote.transfer import send_tree
from remote.types import FileDigest
from templates.transfer.bundle import BIG_FILE_BYTES, STAGE_PREFIX
from tests.fakes.ssh_machine import SshMachine, ssh_machine
from tests.fakes.tcp_proxy import TcpProxy, tcp_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CUTS_PER_TRANSFER = 4
# Cuts that nobody is told of are noticed by silence; a real session allows 30 seconds of it.
_SILENCE_SECONDS = 1.5
_BIG_BYTES = BIG_FILE_BYTES + 300_000
_SMALL_FILES = 30
_SMALL_BYTES = 60_000
_DISK_MIB = 64


@dataclass(slots=True)
class Tally:
    """What came of it.

    Attributes:
        cuts: Transfers that a cut ended, by its kind.
        missed: Cuts that came too late: the transfer was over.
        corrupt: Files under their own name with another content, looked for after every cut.
        missing: Files that were not there in the end.
        bytes_sent_again: What all lines carried beyond what the same transfers carry uncut.
        unexplained: Failures that are not ours, or have no hint.
    """

    cuts: dict[str, int] = field(default_factory=dict)
    missed: int = 0
    corrupt: int = 0
    missing: int = 0
    bytes_sent_again: int = 0
    unexplained: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All cuts."""
        return sum(self.cuts.values())


class CutTransfers:
    """One machine, one line to it and one tree, sent up and down over and over.

    Args:
        folder: A new folder for everything.
        seed: Which cuts.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)  # noqa: S311 - to be the same again
        self._stack = ExitStack()
        self.tally = Tally()
        self.kinds = ["reset", "silent", "half-open", "server killed"]

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._disk = self._stack.enter_context(_small_disk(self._folder / "disk"))
        if self._disk:
            self.kinds += ["disk full here", "disk full there"]
        self._machine: SshMachine = self._stack.enter_context(ssh_machine(self._folder / "m"))
        self._line: TcpProxy = self._stack.enter_context(tcp_proxy(self._machine.endpoint.port))
        self._source = self._folder / "source"
        self._manifest = _tree(self._source, self._random)
        self._uncut = {way: self._carried_uncut(way) for way in ("up", "down")}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, cuts: int) -> Tally:
        """Cut so many transfers."""
        while self.tally.total < cuts:
            self._one_transfer(min(_CUTS_PER_TRANSFER, cuts - self.tally.total))
        return self.tally

    def _one_transfer(self, cuts: int) -> None:
        way = self._random.choice(["up", "down"])
        # Each second one over connections of its own beside the session's.
        lanes = self._random.choice([0, 2])
        target = (self._disk or self._folder) / "target"
        carried = self._line.carried_bytes
        is_over = False
        for _ in range(cuts):
            if not is_over:
                is_over = self._cut_once(way, target, lanes)
        if not is_over:
            self._move(way, target, lanes)
        self._count_wrong(target)
        self.tally.missing += sum(not (target / file.path).is_file() for file in self._manifest)
        self.tally.missing += (target / STAGE_PREFIX).exists()
        self.tally.bytes_sent_again += max(0, self._line.carried_bytes - carried - self._uncut[way])
        shutil.rmtree(target)

    def _cut_once(self, way: str, target: Path, lanes: int) -> bool:
        """Try once, and be cut; gives whether it went through all the same."""
        kinds = [kind for kind in self.kinds if kind != ("disk full here" if way == "up" else "disk full there")]
        kind = self._random.choice(kinds)
        # `ssh` allows half a minute of silence, and nothing makes it shorter for us.
        lanes = 0 if kind in {"silent", "half-open"} else lanes
        at = self._line.carried_bytes + self._random.randrange(self._uncut[way])
        filler = target.parent / "filler"
        if kind in {"reset", "silent", "half-open"}:
            self._line.how, self._line.cut_after_bytes = kind, at  # type: ignore[assignment]
        else:
            self._line.then = self._kill_server if kind == "server killed" else lambda: _fill(filler)
            self._line.at_bytes = at
        try:
            self._move(way, target, lanes)
        except RemoteError as error:
            self.tally.cuts[f"{kind} {way}"] = self.tally.cuts.get(f"{kind} {way}", 0) + 1
            if not error.hint and "disk" not in kind:
                self.tally.unexplained.append(f"{kind} {way}: {error}")
        except Exception as error:  # noqa: BLE001 - to be counted is the point
            self.tally.unexplained.append(f"{kind} {way}: {error!r}")
        else:
            self.tally.missed += 1
            return True
        finally:
            self._line.heal()
            filler.unlink(missing_ok=True)
        self._count_wrong(target)
        return False

    def _move(self, way: str, target: Path, lanes: int) -> None:
        endpoint = self._machine.at(self._line.port)
        with Session.connect(endpoint, deadline_seconds=5, silence_seconds=_SILENCE_SECONDS) as session:
            if way == "up":
                send_tree(session, self._source, str(target), lanes=lanes)
            else:
                fetch_tree(session, str(self._source), target, self._manifest, lanes=lanes)

    def _carried_uncut(self, way: str) -> int:
        before = self._line.carried_bytes
        target = self._folder / "uncut"
        self._move(way, target, 0)
        shutil.rmtree(target)
        return self._line.carried_bytes - before

    def _count_wrong(self, target: Path) -> None:
        for file in self._manifest:
            path = target / file.path
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
                self.tally.corrupt += 1

    def _kill_server(self) -> None:
        for pid in self._machine.session_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _tree(folder: Path, source: random.Random) -> list[FileDigest]:
    folder.mkdir()
    manifest = []
    sizes = {"big": _BIG_BYTES, "empty": 0} | {f"sub/{number}": _SMALL_BYTES for number in range(_SMALL_FILES)}
    for path, size in sizes.items():
        data = source.randbytes(size)
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
        manifest.append(FileDigest(path, size, hashlib.sha256(data).hexdigest()))
    return manifest


def _fill(filler: Path) -> None:
    """Take all space that the disk has left."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A filesystem of its own, where we may mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "llamalift-test", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
