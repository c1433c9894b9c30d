"""What a plan says of each stage of a `train` that is a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.plan.steps import rows_per_step

if TYPE_CHECKING:
    from runs.plan.figures import Figures
    from runs.plan.packing import PackingPlan
    from runs.plan.saves import SavePlan
    from runs.plan.steps import DataSize
    from runs.plan.workload import Workload


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage.

    Attributes:
        name: Its name.
        source: Where its data comes from.
        data: The data; None when it cannot be known before it is on the machine.
        rows_per_step: Rows that one optimizer step sees.
        steps: Optimizer steps; None like `data`.
        step_seconds: One optimizer step.
        saves: When it saves; None like `data`.
        checkpoint_bytes: One complete checkpoint.
        zero_stage: DeepSpeed's ZeRO stage.
        precision: `bf16`, `fp16` or `fp32`.
        packing: How rows lie in their batches.
        trained: Parameters that are trained.
        has_adapters: Whether they are those of adapters.
    """

    name: str
    source: str
    data: DataSize | None
    rows_per_step: int
    steps: int | None
    step_seconds: float
    saves: SavePlan | None
    checkpoint_bytes: int
    zero_stage: int
    precision: str
    packing: PackingPlan
    trained: int
    has_adapters: bool = False

    @property
    def seconds(self) -> float | None:
        """Training and saving; None like `data`."""
        if self.steps is None or self.saves is None:
            return None
        return self.steps * self.step_seconds + self.saves.total_seconds + self.saves.drain_seconds


def stage_plans(work: Workload, figures: Figures) -> tuple[StagePlan, ...]:
    """Give the stages of a run with what each takes; none of a run without stages."""
    return tuple(_one(stage, own) for stage, own in zip(work.stages, figures.stages, strict=True))


def _one(work: Workload, figures: Figures) -> StagePlan:
    spec = work.loaded.spec
    return StagePlan(
        name=spec.stage_name,
        source=spec.data.source,
        data=work.data,
        rows_per_step=rows_per_step(spec.train, figures.processes),
        steps=figures.steps,
        step_seconds=figures.one_step_seconds,
        saves=figures.saves,
        checkpoint_bytes=figures.need.checkpoint,
        zero_stage=figures.config.stage,
        precision=spec.train.precision,
        packing=figures.packing,
        trained=figures.trained,
        has_adapters=spec.train.adapters is not None,
    )
