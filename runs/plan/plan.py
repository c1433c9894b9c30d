"""The words of a plan: what a run will create, take, cost, and stop at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.survey_types import Survey
    from runs.plan.disk import DiskChoice, DiskNeed
    from runs.plan.disk_options import DiskOption
    from runs.plan.estimate import TimeEstimate
    from runs.plan.facts import Facts
    from runs.plan.memory_fit import MemoryFit
    from runs.plan.model_size import ModelSize
    from runs.plan.offload import Offload
    from runs.plan.packing import PackingPlan
    from runs.plan.placements import PricedPlacement
    from runs.plan.saves import SavePlan
    from runs.plan.sizes import VmSize
    from runs.plan.source_checks import SourceAnswer
    from runs.plan.stage_plan import StagePlan
    from runs.plan.staging import Staging
    from runs.plan.steps import DataSize


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars.

    Attributes:
        machine_per_hour: The machine, spot or on demand.
        on_demand_per_hour: The same machine on demand.
        disk_per_hour: The workspace disk; goes on while the machine is deallocated.
        os_disk_per_hour: The system disk; like the workspace disk.
        address_per_hour: The public address.
        egress: Bringing the finished model home, once, as if the free 100 GB of the month were used up.
        basis: Where the machine's price comes from.
        is_of_region: False when the region's price is unknown and a dearer one stands in.
        hours: Hours of the run; None when its length is unknown.
    """

    machine_per_hour: float
    on_demand_per_hour: float
    disk_per_hour: float
    os_disk_per_hour: float
    address_per_hour: float
    egress: float
    basis: str
    is_of_region: bool
    hours: float | None

    @property
    def per_hour(self) -> float:
        """All of it, in dollars an hour."""
        return self.machine_per_hour + self.disk_per_hour + self.os_disk_per_hour + self.address_per_hour

    @property
    def total(self) -> float | None:
        """The whole run; None when its length is unknown."""
        return None if self.hours is None else self.per_hour * self.hours + self.egress

    @property
    def on_demand_total(self) -> float | None:
        """The whole run, were the machine on demand."""
        if self.hours is None or self.total is None:
            return None
        return self.total + (self.on_demand_per_hour - self.machine_per_hour) * self.hours


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """When the machine ends itself.

    Attributes:
        hours: Hours from its start.
        dollars: Dollars spent.
        hours_basis: Why that many hours.
        dollars_basis: Why that many dollars.
        idle_minutes: Minutes in which nothing trains.
        lost_client_hours: Hours without a sign of the client after the job ended.
        discard_after_days: Days until an uncollected workspace may go.
    """

    hours: float
    dollars: float
    hours_basis: str
    dollars_basis: str
    idle_minutes: int
    lost_client_hours: float
    discard_after_days: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will take.

    Attributes:
        name: The run's name.
        cloud: `azure` or `rehearsal`.
        run_id: What its id will look like; the last part is drawn when it starts.
        resource_group: What its resource group will be called.
        size: The machine.
        processes: Training processes, on all machines together.
        regions: Where, the first choice first.
        spot: At the spot price.
        is_wish: Whether the plan chose the size.
        chosen: The first placement that is worth a try; the first of all when none is.
        placements: All of them, in the order in which to try.
        other_way: The same places the other way: on demand for spot, spot for on demand. Nothing is rented so.
        facts: What the cloud said, and when.
        model: The base model.
        data: The data; None when it cannot be known before it is on the machine.
        zero_stage: DeepSpeed's ZeRO stage.
        precision: `bf16`, `fp16` or `fp32`.
        rows_per_step: Rows that one optimizer step sees.
        steps: Optimizer steps; None like `data`.
        saves: When it saves; None like `data`.
        need: What must fit on the workspace disk.
        disk: The workspace disk.
        disk_options: Other disks, with what a save takes on them.
        memory: What it takes on each GPU; None without GPUs.
        time: How long; None like `data`.
        cost: What it costs where it is chosen to be.
        limits: When the machine ends itself.
        notes: What is worth knowing.
        evictions_per_hour: How often the machine is lost where it is chosen to be; 0 for never, None when not known.
        sources: What those sources said that the machine fetches; empty when nobody was asked.
        packing: How rows lie in their batches.
        trained: Parameters that are trained.
        offload: What offloading to main memory does; None without it.
        stages: Each stage of a `train` that is a list; none of any other. `steps`, `need` and `time` are then those of
            all stages, `saves` and `memory` those of the worst, and `data` and the figures per step the first one's.
        asked: What happens after the training, in words; empty for nothing.
        nodes: How many such machines; costs are those of all, disk and memory those of one.
        staging: What filling the disk from a small machine would save; None where that is not done.
    """

    name: str
    cloud: str
    run_id: str
    resource_group: str
    size: VmSize
    processes: int
    regions: tuple[str, ...]
    spot: bool
    is_wish: bool
    chosen: PricedPlacement
    placements: tuple[PricedPlacement, ...]
    other_way: tuple[PricedPlacement, ...]
    facts: Facts
    model: ModelSize
    data: DataSize | None
    zero_stage: int
    precision: str
    rows_per_step: int
    steps: int | None
    saves: SavePlan | None
    need: DiskNeed
    disk: DiskChoice
    disk_options: tuple[DiskOption, ...]
    memory: MemoryFit | None
    time: TimeEstimate | None
    cost: Cost
    limits: LimitsInForce
    notes: tuple[str, ...]
    evictions_per_hour: float | None = None
    sources: tuple[SourceAnswer, ...] = ()
    packing: PackingPlan | None = None
    trained: int = 0
    offload: Offload | None = None
    stages: tuple[StagePlan, ...] = ()
    asked: str = ""
    nodes: int = 1
    staging: Staging | None = None

    @property
    def workspace_gib(self) -> int:
        """Size of the workspace disk in GiB."""
        return self.disk.gib

    @property
    def save_seconds(self) -> float:
        """What one checkpoint takes at the disk's speed."""
        return self.need.checkpoint / (self.disk.mb_per_second * 1e6)

    @property
    def dollars_per_hour(self) -> float:
        """What the machine's own dollar limit counts with: all that runs by the hour."""
        return self.cost.per_hour

    @property
    def dollars_cap(self) -> float:
        """Dollars at which the machine ends itself."""
        return self.limits.dollars

    @property
    def deadline_hours(self) -> float:
        """Hours after which the machine ends itself."""
        return self.limits.hours

    @property
    def survey(self) -> Survey | None:
        """What the cloud said; None when it was not asked and nothing was kept."""
        return self.facts.survey
