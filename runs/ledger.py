"""The journal as the cloud sees it: each intent is durable before the effect, and opens what the effect costs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.journal.charges import begin_charges, end_charges
from runs.tariff import rates_of
from runs.types import EffectMoment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from provisioning.types import DeletionProof, ResourceRef
    from runs.journal import Journal


@dataclass(frozen=True, slots=True)
class RunLedger:
    """`provisioning.types.Ledger` for one run, kept in the journal.

    What a resource costs is counted from the intent to create it (it may exist from then on) until its 404.
    """

    journal: Journal
    run_id: str

    def intend_create(self, ref: ResourceRef) -> None:
        """Write the intent down before the cloud is asked."""
        self._note_and_charge(EffectMoment.CREATE_INTENDED, ref)

    def created(self, ref: ResourceRef) -> None:
        """Write down that the cloud confirmed it; a machine that is about to be started again costs from here on."""
        self._note_and_charge(EffectMoment.CREATED, ref)

    def intend_delete(self, ref: ResourceRef) -> None:
        """Write the intent down before the cloud is asked."""
        self._note(EffectMoment.DELETE_INTENDED, ref, None)

    def gone(self, proof: DeletionProof) -> None:
        """Write down that the cloud answered 404."""
        ref = proof.ref
        self._note(EffectMoment.GONE, ref, lambda db: end_charges(db, self.run_id, ref.resource_id, time.time()))

    def _note_and_charge(self, moment: EffectMoment, ref: ResourceRef) -> None:
        rates = rates_of(self.journal, self.run_id, ref)
        self._note(moment, ref, lambda db: begin_charges(db, self.run_id, ref.resource_id, rates, time.time()))

    def _note(
        self, moment: EffectMoment, ref: ResourceRef, charge: Callable[[sqlite3.Connection], None] | None
    ) -> None:
        self.journal.confirm(self.run_id)
        self.journal.note_effect(
            self.run_id, moment, kind=ref.kind.value, name=ref.name, resource_id=ref.resource_id, also=charge
        )
