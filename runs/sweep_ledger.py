"""The ledger of a sweep for runs that the journal does not know: one line a moment, in a file beside the journal."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.types import DeletionProof, ResourceRef


class SweepLedger:
    """`provisioning.types.Ledger` for one run. What it lacks after a kill, the next sweep finds by its tags."""

    def __init__(self, file: Path, run_id: str) -> None:
        self._file = file
        self._run_id = run_id
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def intend_create(self, ref: ResourceRef) -> None:
        """Write the intent down before the cloud is asked."""
        self._note("create intended", ref)

    def created(self, ref: ResourceRef) -> None:
        """Write down that the cloud confirmed it."""
        self._note("created", ref)

    def intend_delete(self, ref: ResourceRef) -> None:
        """Write the intent down before the cloud is asked."""
        self._note("delete intended", ref)

    def gone(self, proof: DeletionProof) -> None:
        """Write down that the cloud answered 404."""
        self._note("gone", proof.ref)

    def _note(self, moment: str, ref: ResourceRef) -> None:
        line = {"at": time.time(), "run_id": self._run_id, "moment": moment, "resource_id": ref.resource_id}
        with self._lock:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
