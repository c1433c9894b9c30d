"""The OS disk of a local machine: a folder that is (or stands for) the machine's `/`.

Whatever the machine writes outside its workspace stays in it across restarts, as on a real OS disk; `/run` and `/tmp`
are emptied at every boot.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class MachineDisk:
    """Where things are on the host.

    Attributes:
        folder: The machine's own folder, absolute.
        username: The machine's only user.
    """

    folder: Path
    username: str

    @property
    def root(self) -> Path:
        """The machine's `/`."""
        return self.folder / "rootfs"

    @property
    def console_log(self) -> Path:
        """What a serial console would have shown; kept across restarts."""
        return self.folder / "console.log"

    @property
    def instance_record(self) -> Path:
        """Says which customData was applied; its absence means a first boot."""
        return self.folder / "instance.json"

    @property
    def lock_file(self) -> Path:
        """Locked while the machine runs, by whomever it was booted."""
        return self.folder / "lock"

    @property
    def home(self) -> Path:
        """The user's home."""
        return self.root / "home" / self.username

    @property
    def ssh_folder(self) -> Path:
        """`/etc/ssh`."""
        return self.root / "etc" / "ssh"

    @property
    def programs(self) -> Path:
        """First on the machine's PATH: `python3` and what a machine without a service manager must answer to."""
        return self.root / "run" / "machine"

    @property
    def boot_script(self) -> Path:
        """What cloud-init makes of `runcmd`."""
        return self.programs / "runcmd"

    @property
    def sshd_pid_file(self) -> Path:
        """Written by the SSH server once it listens."""
        return self.root / "run" / "sshd.pid"


def prepare_disk(disk: MachineDisk) -> None:
    """Make the folders of a fresh disk, and empty those that no restart survives."""
    for volatile in ("run", "tmp"):
        shutil.rmtree(disk.root / volatile, ignore_errors=True)
    for name in ("etc/ssh", "opt/llamalift", "run/machine", "tmp", f"home/{disk.username}/.ssh"):
        (disk.root / name).mkdir(parents=True, exist_ok=True)
    # sshd trusts keys only below folders that nobody else can write, whatever the umask was.
    for folder in (disk.root, disk.root / "home", disk.home):
        folder.chmod(0o755)
    (disk.home / ".ssh").chmod(0o700)
    (disk.root / "tmp").chmod(0o1777)


@contextmanager
def locked(disk: MachineDisk, *, deadline_seconds: float) -> Iterator[int]:
    """Hold the machine's lock, and yield its descriptor for the machine's first process to keep it.

    Raises:
        RehearsalError: The machine still runs: another emulator has booted it, or an emulator that was killed has only
            just let go of it and it has not ended in time.
    """
    disk.folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + deadline_seconds
    with disk.lock_file.open("w") as lock:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise RehearsalError(f"the local machine is running already, folder: {disk.folder}")
            time.sleep(_POLL_SECONDS)
        yield lock.fileno()


def is_first_boot(disk: MachineDisk) -> bool:
    """True until `record_first_boot`: cloud-init applies users, keys and files once per instance."""
    return not disk.instance_record.exists()


def record_first_boot(disk: MachineDisk, boot_commands: list[str | list[str]]) -> None:
    """Remember that this instance was set up, and what it starts at boot."""
    partial = disk.instance_record.with_suffix(".part")
    partial.write_text(json.dumps({"runcmd": boot_commands}))
    partial.replace(disk.instance_record)


def recorded_commands(disk: MachineDisk) -> list[str | list[str]]:
    """The `runcmd` of the first boot."""
    commands: list[str | list[str]] = json.loads(disk.instance_record.read_text())["runcmd"]
    return commands
