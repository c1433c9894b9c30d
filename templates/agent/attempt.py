"""One attempt at a step, as the agent sees it: started at most once, found again after a restart, ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates.agent import atomic, hold
from templates.agent.processes import TOKEN_VARIABLE, boot_id, family, identity, signal_all

if TYPE_CHECKING:
    from templates.agent.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        code: Exit code, negative for a signal; None when nobody was there to see it.
        error: Why the program could not be started, or None.
        machine_restarted: The machine went down under it, or soon after: going down, it ends what runs by SIGTERM.
    """

    code: int | None
    error: str | None = None
    machine_restarted: bool = False


class Attempt:
    """The processes and records of the attempt `key`."""

    def __init__(self, folder: RunFolder, key: str) -> None:
        self._folder = folder
        self._key = key
        self.records = folder.attempt(key)
        self._token = f"{folder.root.name}:{key}"
        self._holder: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the holder, which starts the step unless another holder has already."""
        with self._folder.agent_log.open("ab") as log:
            self._holder = subprocess.Popen(
                hold.command(self._key, self._folder),
                env={**os.environ, TOKEN_VARIABLE: self._token},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def outcome(self) -> Outcome | None:
        """How it ended, or None while it runs (or is about to)."""
        ours_lives = self._holder is not None and self._holder.poll() is None
        claim = atomic.read_json(self.records / "claim.json")
        if claim is None:
            return None if ours_lives else self._unclaimed()
        lives = identity(claim["pid"]) == claim["identity"]
        # Read after the look at the holder: it may have written this just before it left.
        record = atomic.read_json(self.records / "exit.json")
        restarted = claim["boot_id"] != boot_id()
        if record is not None:
            return Outcome(record["code"], record["error"], machine_restarted=restarted)
        return None if lives else Outcome(None, machine_restarted=restarted)

    def leader(self) -> int | None:
        """The process id of the step's own program while it lives."""
        record = atomic.read_json(self.records / "leader.json")
        if record is None or record["identity"] is None or identity(record["pid"]) != record["identity"]:
            return None
        return int(record["pid"])

    def ask_to_leave(self) -> bool:
        """SIGTERM to the step's own program: checkpoint now, then leave. False when it has not begun yet."""
        leader = self.leader()
        if leader is not None:
            signal_all([leader], signal.SIGTERM)
        return leader is not None

    def survivors(self) -> set[int]:
        """Every living process of this attempt, the holder included."""
        return family(self._token)

    def _unclaimed(self) -> Outcome | None:
        if self.survivors():
            return None  # a holder of an earlier life of the agent, about to claim
        if self._holder is not None:
            return Outcome(None, f"the holder left before it began: exit code {self._holder.returncode}")
        self.start()
        return None
