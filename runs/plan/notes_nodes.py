"""What several machines mean for a run: how they reach each other, and what each of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.plan.verdict import offer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.survey_types import Survey
    from provisioning.types import Placement
    from runs.plan.figures import Figures
    from runs.spec.run_file import RunFile

_WITH_INFINIBAND = "Standard_ND96amsr_A100_v4 or Standard_ND96isr_H100_v5"


def nodes_notes(spec: RunFile, figures: Figures, placement: Placement, survey: Survey | None) -> Iterator[str]:
    """Yield what is worth knowing; nothing for a run on one machine."""
    if spec.machine.nodes == 1:
        return
    size = figures.size
    offer = None if survey is None else offer_of(survey, placement.size, placement.region)
    known = size.has_infiniband if offer is None or offer.has_infiniband is None else offer.has_infiniband
    if size.gpus and not known:
        yield (
            f"{size.name} has no InfiniBand: gradients travel over Ethernet between the {spec.machine.nodes} machines, "
            f"many times slower than inside one; the time above does not know that; sizes with it: {_WITH_INFINIBAND}"
        )
    elif size.gpus:
        yield f"the {spec.machine.nodes} machines reach each other by InfiniBand, as one availability set"
    yield "model, data and environment are on each machine's own disk; checkpoints and the final model on the first"
