"""Ways to move a tree over SSH that everybody knows, each with the verification and the sync that ours does."""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.command import Command
from remote.lines import ssh_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from remote.types import Endpoint

CIPHER = "aes128-gcm@openssh.com"
_SUMS = "find . -type f -print0 | sort -z | xargs -0 -r -n 500 -P {cores} sha256sum | sort -k 2"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one transfer took: wall seconds, CPU seconds of this side, peak memory in MiB (0: not measured)."""

    seconds: float
    cpu_seconds: float
    peak_mib: float = 0.0


class Peers:
    """The peers over one link. All connections of one transfer share one sign-in, as a careful script has it.

    Args:
        endpoint: Where.
        folder: A folder for the list of host keys and the control socket.
    """

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._endpoint = endpoint
        known = ssh_arguments(endpoint, folder, Command.of("true"))
        options = dict(word.split("=", 1) for flag, word in itertools.pairwise(known) if flag == "-o")
        options |= {
            "Ciphers": CIPHER,
            "ControlMaster": "auto",
            "ControlPath": str(folder / "c"),
            "ControlPersist": "60",
            "IdentityFile": str(endpoint.key_file),
            "Port": str(endpoint.port),
            "User": endpoint.username,
        }
        lines = "".join(f"  {name} {value}\n" for name, value in options.items())
        self._config = folder / "config"
        self._config.write_text(f"Host machine\n  HostName {endpoint.host}\n{lines}")

    def ways(self) -> Mapping[str, Callable[[str, Path, Path], list[str]]]:
        """Each peer's command line for a direction, a source and a target."""
        return {"rsync": self._rsync, "scp": self._scp, "sftp": self._sftp, "tar": self._tar}

    def measure(self, way: str, direction: str, source: Path, target: Path) -> Measured:
        """Move the content of the folder `source` into the folder `target`, verify it and put it onto the disk.

        A download is verified against sums that exist beforehand, as our manifests do; an upload on both sides at
        the same time.
        """
        sums = self._sums_here(source) if direction == "down" else b""
        before = os.times()
        began = time.perf_counter()
        subprocess.run(self.ways()[way](direction, source, target), check=True, stdout=subprocess.DEVNULL)
        self._verify(direction, source, target, sums)
        seconds = time.perf_counter() - began
        self._hang_up()
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Measured(seconds, cpu)

    def _verify(self, direction: str, source: Path, target: Path, sums: bytes) -> None:
        if direction == "down":
            assert self._sums_here(target) == sums
            subprocess.run(["sync", "-f", str(target)], check=True)
            return
        command = f"cd {shlex.quote(str(target))} && {_sums_command()} && sync -f ."
        there = subprocess.Popen(["ssh", "-F", str(self._config), "machine", command], stdout=subprocess.PIPE)
        here = self._sums_here(source)
        out, _ = there.communicate()
        assert there.returncode == 0
        assert out == here

    def _sums_here(self, folder: Path) -> bytes:
        return subprocess.run(["sh", "-c", _sums_command()], cwd=folder, check=True, stdout=subprocess.PIPE).stdout

    def _hang_up(self) -> None:
        command = ["ssh", "-F", str(self._config), "-O", "exit", "machine"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _rsync(self, direction: str, source: Path, target: Path) -> list[str]:
        there, here = ("", "machine:") if direction == "down" else ("machine:", "")
        shell = f"ssh -F {shlex.quote(str(self._config))}"
        return ["rsync", "-a", "--checksum", "-e", shell, f"{here}{source}/", f"{there}{target}/"]

    def _scp(self, direction: str, source: Path, target: Path) -> list[str]:
        there, here = ("", "machine:") if direction == "down" else ("machine:", "")
        return ["scp", "-q", "-r", "-F", str(self._config), f"{here}{source}/.", f"{there}{target}/"]

    def _sftp(self, direction: str, source: Path, target: Path) -> list[str]:
        verb = "get" if direction == "down" else "put"
        batch = self._config.with_name("batch")
        batch.write_text(f"{verb} -r {source}/. {target}\n")
        return ["sftp", "-q", "-F", str(self._config), "-b", str(batch), "machine"]

    def _tar(self, direction: str, source: Path, target: Path) -> list[str]:
        ssh = f"ssh -F {shlex.quote(str(self._config))} machine"
        pack = f"tar -C {shlex.quote(str(source))} -cf - ."
        unpack = f"tar -C {shlex.quote(str(target))} -xf -"
        left, right = (
            (f"{ssh} {shlex.quote(pack)}", unpack) if direction == "down" else (pack, f"{ssh} {shlex.quote(unpack)}")
        )
        return ["sh", "-c", f"{left} | {right}"]


def _sums_command() -> str:
    return _SUMS.format(cores=os.cpu_count() or 1)
