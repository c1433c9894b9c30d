"""Ways to move a tree over SSH that everybody knows, each with the verification and the sync that ours does."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from remote.command import Command
from remote.lines import ssh_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        self._ssh = ["ssh", "-F", str(self._config)]
        self._config.write_text(f"Host machine\n  HostName {endpoint.host}\n{lines}")

    def ways(self) -> Mapping[str, Callable[[str, Path, Path], list[str]]]:
        """Each peer's command line for a direction, a source and a target."""
        return {"rsync": self._rsync, "scp": self._scp, "sftp": self._sftp, "tar": self._tar}

    def measure(self, way: str, direction: str, source: Path, target: Path) -> Measured:
        """Move the content of the folder `source` into the folder `target`, verify it and put it onto the disk.

        A download is verified against sums that exist beforehand, as our manifests do; an upload on both sides at
        the same time.
        """
        sums = _Started(_sums_command(source)).output() if direction == "down" else b""
        began = time.perf_counter()
        started = [_Started(self.ways()[way](direction, source, target))]
        started[0].output()
        if direction == "down":
            started += [_Started(_sums_command(target)), _Started(["sync", "-f", str(target)])]
            assert started[1].output() == sums
            started[2].output()
        else:
            there = shlex.join(_sums_command(target)) + f" && sync -f {shlex.quote(str(target))}"
            started += [_Started([*self._ssh, "machine", there]), _Started(_sums_command(source))]
            assert started[1].output() == started[2].output()
        seconds = time.perf_counter() - began
        return Measured(seconds, sum(one.cpu_seconds for one in started) + self._hang_up())

    def _hang_up(self) -> float:
        """End the connection; give the CPU seconds of the process that had it, which nobody waits for."""
        answer = subprocess.run([*self._ssh, "-O", "check", "machine"], check=True, capture_output=True, text=True)
        pid = re.search(r"pid=(\d+)", answer.stderr)
        assert pid, answer.stderr
        fields = Path(f"/proc/{pid[1]}/stat").read_text().rpartition(")")[2].split()
        taken = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5): utime and stime
        subprocess.run([*self._ssh, "-O", "exit", "machine"], check=True, capture_output=True)
        return taken

    def _rsync(self, direction: str, source: Path, target: Path) -> list[str]:
        there, here = ("", "machine:") if direction == "down" else ("machine:", "")
        return ["rsync", "-a", "--checksum", "-e", shlex.join(self._ssh), f"{here}{source}/", f"{there}{target}/"]

    def _scp(self, direction: str, source: Path, target: Path) -> list[str]:
        there, here = ("", "machine:") if direction == "down" else ("machine:", "")
        return ["scp", "-q", "-r", "-F", str(self._config), f"{here}{source}/.", f"{there}{target}/"]

    def _sftp(self, direction: str, source: Path, target: Path) -> list[str]:
        verb = "get" if direction == "down" else "put"
        batch = self._config.with_name("batch")
        batch.write_text(f"{verb} -r {source}/. {target}\n")
        return ["sftp", "-q", "-F", str(self._config), "-b", str(batch), "machine"]

    def _tar(self, direction: str, source: Path, target: Path) -> list[str]:
        ssh = shlex.join([*self._ssh, "machine"])
        pack = f"tar -C {shlex.quote(str(source))} -cf - ."
        unpack = f"tar -C {shlex.quote(str(target))} -xf -"
        left, right = (
            (f"{ssh} {shlex.quote(pack)}", unpack) if direction == "down" else (pack, f"{ssh} {shlex.quote(unpack)}")
        )
        return ["sh", "-c", f"{left} | {right}"]


class _Started:
    """A process whose own CPU seconds are known in the end, whatever else runs meanwhile."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.cpu_seconds = 0.0

    def output(self) -> bytes:
        """Wait until it ended well."""
        with self._process as process:
            assert process.stdout is not None
            said = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        assert process.returncode == 0, process.args
        return said


def _sums_command(folder: Path) -> list[str]:
    return ["sh", "-c", f"cd {shlex.quote(str(folder))} && {_SUMS.format(cores=os.cpu_count() or 1)}"]
