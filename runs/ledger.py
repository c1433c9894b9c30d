"""The journal as the cloud sees it: each intent is durable before the effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.types import EffectMoment

if TYPE_CHECKING:
    from provisioning.types import DeletionProof, ResourceRef
    from runs.journal import Journal


@dataclass(frozen=True, slots=True)
class RunLedger:
    """`provisioning.types.Ledger` for one run, kept in the journal."""

    journal: Journal
    run_id: str

    def intend_create(self, ref: ResourceRef) -> None:
        """Write the intent down before the cloud is asked."""
        self._note(EffectMoment.CREATE_INTENDED, ref)

    def created(self, ref: ResourceRef) -> None:
        """Write down that the cloud confirmed it."""
        self._note(EffectMoment.CREATED, ref)

    def intend_delete(self, ref: ResourceRef) -> None:
        """Write the intent down before the cloud is asked."""
        self._note(EffectMoment.DELETE_INTENDED, ref)

    def gone(self, proof: DeletionProof) -> None:
        """Write down that the cloud answered 404."""
        self._note(EffectMoment.GONE, proof.ref)

    def _note(self, moment: EffectMoment, ref: ResourceRef) -> None:
        self.journal.confirm(self.run_id)
        self.journal.note_effect(self.run_id, moment, kind=ref.kind.value, name=ref.name, resource_id=ref.resource_id)
