"""What the machine's process is told, as one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from provisioning.rehearsal.machines import sweep


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Everything the SSH server must know; paths are the host's.

    Attributes:
        address: Loopback address to listen on.
        port: TCP port.
        username: The only user.
        home: Its home, with `.ssh/authorized_keys`.
        ssh_folder: Holds the host key, read again for every connection.
        pid_file: Written once the server listens.
        boot_script: Shell script to run at start (cloud-init's runcmd).
        environment: The whole environment of every command.
        marker: Entry of it that tells this machine's processes from all others.
    """

    address: str
    port: int
    username: str
    home: str
    ssh_folder: str
    pid_file: str
    boot_script: str
    environment: dict[str, str]
    marker: str

    def write(self, path: Path) -> None:
        """Save; the environment may hold a package index with a password."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))

    def clean_up(self) -> None:
        """End every process of the machine, and forget what it kept in memory."""
        sweep.end_all(self.marker)
        sweep.empty_memory(Path(self.environment["LLAMALIFT_WORKSPACE"]))

    @classmethod
    def read(cls, path: Path) -> ServerSettings:
        """Load what `write` saved."""
        return cls(**json.loads(path.read_text()))
