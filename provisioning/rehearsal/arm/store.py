"""What exists in the cloud: held in memory, written through to SQLite so that a killed emulator comes back with it."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.rehearsal.arm.json_types import Json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (key TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, record TEXT NOT NULL);
"""
# How far back the past can be looked at.
_REMEMBERED_SECONDS = 600.0


@dataclass(slots=True)
class Resource:
    """One resource.

    Attributes:
        id: Full ARM id with the case of its creation.
        type: `Namespace/type`, in ARM's own case.
        name: Last name of the id.
        group: Resource group name, or an empty string for what lives outside groups.
        region: Region, or `global`.
        body: What GET answers, without what follows from other resources.
        private: What GET must never answer (custom data) and our own notes.
        revision: Counts the writes.
    """

    id: str
    type: str
    name: str
    group: str
    region: str
    body: Json
    private: Json = field(default_factory=dict)
    revision: int = 0

    @property
    def properties(self) -> Json:
        """The `properties` object of the body."""
        properties: Json = self.body.setdefault("properties", {})
        return properties

    @property
    def state(self) -> str:
        """The provisioning state."""
        return str(self.properties.get("provisioningState", "Succeeded"))


class Store:
    """All resources by id, under one lock that also serialises whoever changes more than one of them."""

    def __init__(self, file: Path) -> None:
        self.lock = threading.RLock()
        # One connection for all threads: `lock` keeps them apart.
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        # When each resource last changed, and what it was before; None where it was not there.
        self._changes: deque[tuple[float, str, str | None]] = deque()
        rows = self._database.execute("SELECT key, record FROM resources ORDER BY rowid")
        self._resources = {key: Resource(**json.loads(record)) for key, record in rows}

    def get(self, resource_id: str) -> Resource | None:
        """The resource with this id, compared without regard to case."""
        with self.lock:
            return self._resources.get(resource_id.lower())

    def put(self, resource: Resource) -> Resource:
        """Keep `resource`; durable when this returns. Counts as a write."""
        with self.lock:
            resource.revision += 1
            key = resource.id.lower()
            self._remember(key)
            self._resources[key] = resource
            record = {name: getattr(resource, name) for name in Resource.__slots__}
            self._database.execute(
                "INSERT INTO resources VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET record = excluded.record",
                (key, json.dumps(record)),
            )
            return resource

    def remove(self, resource_id: str) -> None:
        """Forget a resource; durable when this returns."""
        with self.lock:
            self._remember(resource_id.lower())
            self._resources.pop(resource_id.lower(), None)
            self._database.execute("DELETE FROM resources WHERE key = ?", (resource_id.lower(),))

    def all(self, resource_type: str | None = None, group: str | None = None) -> list[Resource]:
        """Every resource, in order of creation, optionally of one type and in one group."""
        with self.lock:
            return list(self._matching(resource_type, group))

    def as_of(self, seconds_ago: float) -> list[Resource]:
        """Every resource as it was, at most ten minutes back and not before the emulator was started."""
        with self.lock:
            moment = time.monotonic() - seconds_ago
            if not self._changes or self._changes[-1][0] <= moment:
                return list(self._resources.values())
            then = dict(self._resources)
            for changed_at, key, before in reversed(self._changes):
                if changed_at <= moment:
                    break
                then.pop(key, None)
                if before is not None:
                    then[key] = Resource(**json.loads(before))
            return list(then.values())

    def _remember(self, key: str) -> None:
        row = self._database.execute("SELECT record FROM resources WHERE key = ?", (key,)).fetchone()
        now = time.monotonic()
        self._changes.append((now, key, row[0] if row else None))
        while self._changes[0][0] < now - _REMEMBERED_SECONDS:
            self._changes.popleft()

    def _matching(self, resource_type: str | None, group: str | None) -> Iterator[Resource]:
        for resource in self._resources.values():
            if resource_type is not None and resource.type.lower() != resource_type.lower():
                continue
            if group is not None and resource.group.lower() != group.lower():
                continue
            yield resource

    def facts(self, prefix: str) -> dict[str, Json]:
        """Every other durable record whose key starts with `prefix`."""
        with self.lock:
            rows = self._database.execute(
                "SELECT key, record FROM facts WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
            )
            return {key: json.loads(record) for key, record in rows}

    def put_fact(self, key: str, record: Json) -> None:
        """Keep another durable record."""
        with self.lock:
            self._database.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET record = excluded.record",
                (key, json.dumps(record)),
            )

    def remove_facts(self, prefix: str) -> None:
        """Forget every other record whose key starts with `prefix`."""
        with self.lock:
            self._database.execute("DELETE FROM facts WHERE substr(key, 1, ?) = ?", (len(prefix), prefix))
