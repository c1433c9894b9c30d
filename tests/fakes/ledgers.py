"""A ledger in memory that keeps every line in order, and can end the world at one of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.types import DeletionProof, ResourceKind, ResourceRef


class MemoryLedger:
    """What the journal would hold.

    Attributes:
        lines: `(moment, kind)` in the order of writing.
        refs: Everything that was ever about to exist, by id.
    """

    def __init__(self, *, dies_at: tuple[str, ResourceKind] | None = None, dies_before: int | None = None) -> None:
        self.lines: list[tuple[str, ResourceKind]] = []
        self.refs: dict[str, ResourceRef] = {}
        self.gone_ids: set[str] = set()
        self._dies_at = dies_at
        self._dies_before = dies_before
        self._lock = threading.Lock()

    def intend_create(self, ref: ResourceRef) -> None:
        """Before a creation."""
        self._note("intended", ref)

    def created(self, ref: ResourceRef) -> None:
        """After it."""
        self._note("created", ref)

    def intend_delete(self, ref: ResourceRef) -> None:
        """Before a deletion."""
        self._note("doomed", ref)

    def gone(self, proof: DeletionProof) -> None:
        """After its proof."""
        self._note("gone", proof.ref)
        self.gone_ids.add(proof.ref.resource_id.lower())

    def _note(self, moment: str, ref: ResourceRef) -> None:
        with self._lock:
            if (moment, ref.kind) == self._dies_at or len(self.lines) == self._dies_before:
                raise KeyboardInterrupt
            self.lines.append((moment, ref.kind))
            self.refs[ref.resource_id.lower()] = ref
