"""What was done to machines, counted: how tests prove that nothing was made or started twice."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.ids import ResourceId

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.json_types import Json


class Witness:
    """Counts since the emulator started, per resource group. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {}
        self._existing: dict[str, set[str]] = {}
        self._most: Counter[str] = Counter()

    def made(self, machine_id: str) -> None:
        """A machine came to be (running or not, it may cost money)."""
        self._count(machine_id, "made", exists=True)

    def asked_again(self, machine_id: str) -> None:
        """A machine that exists was put or patched again."""
        self._count(machine_id, "asked_again", exists=True)

    def started(self, machine_id: str) -> None:
        """A machine was switched on."""
        self._count(machine_id, "started", exists=True)

    def gone(self, machine_id: str) -> None:
        """A machine was deleted."""
        self._count(machine_id, "gone", exists=False)

    def report(self) -> Json:
        """The counts by group: `made`, `asked_again`, `started`, `gone`, `existing` now, and `most_at_once`."""
        with self._lock:
            return {
                group: {**counts, "most_at_once": self._most[group], "existing": len(self._existing[group])}
                for group, counts in self._counts.items()
            }

    def _count(self, machine_id: str, what: str, *, exists: bool) -> None:
        group = ResourceId.parse(machine_id).group.lower()
        with self._lock:
            counts = self._counts.setdefault(group, Counter(made=0, asked_again=0, started=0, gone=0))
            counts[what] += 1
            existing = self._existing.setdefault(group, set())
            if exists:
                existing.add(machine_id.lower())
            else:
                existing.discard(machine_id.lower())
            self._most[group] = max(self._most[group], len(existing))
