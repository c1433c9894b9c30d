"""Delete everything, prove it, and say what it cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provisioning.errors import LeftoversError
from provisioning.types import ResourceKind, ResourceRef
from runs.facts import Leaving, Trained, Undeleted
from runs.ledger import RunLedger
from runs.masking import try_to_take_secrets_back
from runs.receipt import make_receipt, write_receipt
from runs.ssh_access import forget
from runs.types import RunState, StageName

if TYPE_CHECKING:
    from runs.context import RunContext


class Teardown:
    """Nothing of the run is left in the cloud."""

    name = StageName.TEARDOWN
    title = "deleting everything"

    def is_done(self, context: RunContext) -> bool:
        """Every resource has its proof."""
        return context.journal.run(context.run_id).state is RunState.ENDED

    def act(self, context: RunContext) -> str:
        """Delete, confirm a 404 for each resource in the ledger, look for others by tag, write the receipt."""
        if context.get(Leaving) is None and context.get(Trained) is None:
            try_to_take_secrets_back(context)
        context.journal.put(context.run_id, Leaving(at=time.time()))
        context.hang_up()
        refs = unproven(context)
        ledger = RunLedger(context.journal, context.run_id)
        try:
            context.cloud.destroy(
                context.run_id, refs, ledger, lambda message: context.reporter.waiting(self.name, message)
            )
        except LeftoversError as error:
            reasons = {resource_id.lower(): why for resource_id, why in error.reasons.items()}
            context.journal.put(context.run_id, Undeleted(time.time(), reasons))
            # What is gone is gone, and what is not is told with its reason.
            write_receipt(make_receipt(context.journal, context.run_id), context.folder / "receipt.json")
            raise
        context.journal.forget(context.run_id, Undeleted)
        receipt = make_receipt(context.journal, context.run_id)
        write_receipt(receipt, context.folder / "receipt.json")
        forget(context.state, context.run_id)
        # Last: an ended run is never looked after again.
        context.journal.set_run_state(context.run_id, RunState.ENDED)
        count = len(receipt.resources)
        return f"{count} resource{'s' if count != 1 else ''} confirmed gone, {receipt.cost_words}"


def unproven(context: RunContext) -> list[ResourceRef]:
    """Everything that was ever meant for the run and has no 404 yet."""
    return [
        ResourceRef(ResourceKind(effect.kind), effect.name, effect.resource_id)
        for effect in context.journal.effects(context.run_id)
        if effect.gone_at is None
    ]
