"""What is worth knowing before the money flows, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.plan.prices import SNAPSHOT_DATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.disk import DiskChoice
    from runs.plan.figures import Figures
    from runs.plan.plan import Cost
    from runs.spec.run_file import RunFile


def notes_of(spec: RunFile, figures: Figures, cost: Cost, region: str) -> Iterator[str]:
    """Yield the notes of a plan."""
    size, steps = figures.size, figures.steps
    if steps is None:
        yield "the number of rows is known only when the data is on the machine: no steps, no save schedule yet"
    if not size.gpus and spec.train.fp16:
        yield "fp16 is asked for, but the machine has no GPU: the trainer takes bf16 or fp32 and says so"
    if "wandb" in spec.train.report_to and "WANDB_API_KEY" not in spec.secrets:
        yield "wandb writes offline without secrets: [WANDB_API_KEY]"
    yield from _money(spec, figures.disk, cost, region)


def _money(spec: RunFile, disk: DiskChoice, cost: Cost, region: str) -> Iterator[str]:
    if spec.cloud == "rehearsal":
        yield "rehearsal: nothing is spent; the dollars are what Azure would take"
        return
    if not cost.is_of_region:
        yield f"no price of {region} in the snapshot of {SNAPSHOT_DATE}; the dearest known one stands in"
    if spec.machine.spot and cost.machine_per_hour == cost.on_demand_per_hour:
        yield "spot is usually far cheaper; limits count with the on-demand price, the most that can be charged"
    days = spec.limits.discard_after_days
    yield (
        f"a workspace that is not collected goes on costing ${cost.disk_per_hour * 24:.2f} a day "
        f"({disk.gib} GiB), for at most {days:g} days"
    )
