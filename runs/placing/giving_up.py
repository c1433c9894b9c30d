"""What is said when no machine is to be had: everything that was tried, and how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.errors import CapacityError, QuotaError
from runs.facts import Searching
from runs.journal.attempts import Outcome
from runs.placing.words import place_words, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.errors import ProvisioningError
    from provisioning.types import Placement
    from runs.context import RunContext
    from runs.journal.attempts import Attempt
    from runs.placing.walk import Walk

_PASSING = {Outcome.TROUBLE, Outcome.THROTTLED, Outcome.ABANDONED}
_FURTHER = {
    "never": "or let the disk follow a machine to another zone of the region with: --move zone",
    "zone": "or let the disk be copied to another region, too, at the price that plan shows, with: --move region",
    "region": "",
}


def nothing_to_be_had(
    context: RunContext, tried: Sequence[Attempt], walk: Walk, *, home: Placement | None
) -> ProvisioningError:
    """The error that ends a search.

    Args:
        context: The run.
        tried: The tries of the last walk, oldest first.
        walk: That walk.
        home: Where the run's disk is, if it holds something; None when it may be anywhere.
    """
    last = walk.last_error
    if last is not None and all(one.outcome in _PASSING for one in tried):
        return last
    kind = QuotaError if tried and all(one.outcome is Outcome.QUOTA for one in tried) else CapacityError
    code = last.code if last else ""
    hint = _disk_hint(context, home) if home is not None else _hint(context, kind, walk)
    if last is not None and len({one.placement for one in tried}) == 1:
        return kind(last.fact, hint=hint, code=code)
    said = f"\nthe last answer was: {last.fact}" if last is not None else ""
    return kind(f"no machine to be had: {summary(tried)}", hint=hint + said, code=code)


def _hint(context: RunContext, kind: type[ProvisioningError], walk: Walk) -> str:
    # Whether the run is kept is decided after this, by the user's policy.
    again = (
        f"go on trying with: llamalift up {context.row.run_file} --retry-until 6h "
        f"(a run that was kept: llamalift resume {context.run_id} --retry-until 6h)"
    )
    elsewhere = f"{again}; or name more places under machine.regions, machine.zones or machine.other_sizes"
    last = walk.last_error
    advice = walk.advice or (last.hint if last else "")
    # Waiting helps against a lack of machines only.
    todo = advice if advice and (kind is QuotaError or last is None) else elsewhere
    return f"{todo}\nsee every try with: llamalift attempts {context.run_id}"


def _disk_hint(context: RunContext, home: Placement) -> str:
    wish = context.get(Searching)
    further = _FURTHER[(wish.move if wish else "") or context.spec.machine.move]
    again = f"go on trying with: llamalift resume {context.run_id} --retry-until 6h"
    return (
        f"the run's disk with all that is on it stands in {place_words(home)}; {again}"
        f"{f' ({further})' if further else ''}; or give up what is on it with: "
        f"llamalift down --discard {context.run_id}"
    )
