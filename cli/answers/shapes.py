"""Answers put together from several types: their shapes, for the schema alone. A test holds them to the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runs.cost import CostLine
    from runs.fleet import RunLine
    from runs.plan.disk import DiskChoice
    from runs.plan.disk_options import DiskOption
    from runs.plan.model_size import ModelSize
    from runs.plan.plan import LimitsInForce
    from runs.plan.sizes import VmSize
    from runs.plan.steps import DataSize
    from runs.smoke_promises import Promise
    from runs.sweep_removal import Removal


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """Every run in one line, `llamalift schema status-all`.

    Attributes:
        schema: Version of this answer.
        runs: Each run, newest first.
    """

    schema: int
    runs: tuple[RunLine, ...]


@dataclass(frozen=True, slots=True)
class CostOfRun:
    """What one run has cost.

    Attributes:
        run_id: The run.
        cloud: `azure`; on `rehearsal` the dollars are what Azure would have taken.
        lines: Every component, in order of its beginning.
        estimate_dollars: What the plan said, or null.
        is_confirmed: Whether the cloud was asked what still runs, or nothing can.
        dollars: All of it.
        dollars_per_hour: What goes on costing, an hour.
    """

    run_id: str
    cloud: str
    lines: tuple[CostLine, ...]
    estimate_dollars: float | None
    is_confirmed: bool
    dollars: float
    dollars_per_hour: float


@dataclass(frozen=True, slots=True)
class CostAnswer:
    """What runs have cost.

    Attributes:
        schema: Version of this answer.
        runs: Each run, newest first.
        dollars: All of them, without rehearsals.
        dollars_per_hour: What goes on costing, without rehearsals.
    """

    schema: int
    runs: tuple[CostOfRun, ...]
    dollars: float
    dollars_per_hour: float


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """What happened in a run.

    Attributes:
        schema: Version of this answer.
        run_id: The run.
        events: Oldest first: each with `at` (seconds since the epoch), `kind` and `text`.
    """

    schema: int
    run_id: str
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class AdoptAnswer:
    """What was adopted.

    Attributes:
        run_id: The run.
        was_known: This computer knew it already.
        resources: How many the cloud has of it.
        notes: What is to be known.
    """

    run_id: str
    was_known: bool
    resources: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SweptResource:
    """One resource: `in_own_group` is false for what lies outside the run's own group."""

    kind: str
    name: str
    resource_id: str
    in_own_group: bool


@dataclass(frozen=True, slots=True)
class SweptLine:
    """One run of which something is in the cloud.

    Attributes:
        run_id: The run.
        owner: Who made it; empty when unknown.
        created_at: When, in ISO 8601; null when unknown.
        age_seconds: How old it is; null when unknown.
        expires_at: When it was to end at the latest, in ISO 8601; null when unknown.
        is_expired: That is past.
        machine: Its power state.
        this_computer: What this computer knows of it.
        driver: Another computer that drives it; empty without one.
        risk: What a removal would lose; empty for nothing.
        dollars_per_day: What it costs at list prices.
        unpriced: What of it has no known price.
        resources: What there is.
        removal: What became of it; null when it was not to be removed.
    """

    run_id: str
    owner: str
    created_at: str | None
    age_seconds: float | None
    expires_at: str | None
    is_expired: bool
    machine: str
    this_computer: str
    driver: str
    risk: str
    dollars_per_day: float
    unpriced: tuple[str, ...]
    resources: tuple[SweptResource, ...]
    removal: Removal | None


@dataclass(frozen=True, slots=True)
class SweepAnswer:
    """Everything of ours in the subscription.

    Attributes:
        schema: Version of this answer.
        cloud: `azure` or `rehearsal`.
        subscription_id: Where it was looked.
        runs: What was found, run by run.
        left: How many of them are still there.
        dollars_per_day: What all of it costs at list prices.
    """

    schema: int
    cloud: str
    subscription_id: str
    runs: tuple[SweptLine, ...]
    left: int
    dollars_per_day: float


@dataclass(frozen=True, slots=True)
class SmokeAnswer:
    """The verdict on a trial.

    Attributes:
        run_id: Its run.
        cloud: `azure` or `rehearsal`.
        promises: Each with its verdict.
        dollars: What it cost; on the rehearsal cloud, would have.
        error: Always null: what stopped it is on standard error.
        passed: Every promise was kept.
    """

    run_id: str
    cloud: str
    promises: tuple[Promise, ...]
    dollars: float
    error: None
    passed: bool


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """A plan. The parts written as objects here have the figures of the plan's screen, in units that their keys name.

    Attributes:
        schema: Version of this answer.
        name: The run's name.
        cloud: `azure` or `rehearsal`.
        run_id: A run id as it will look.
        resource_group: Its resource group.
        processes: Training processes.
        nodes: Machines.
        regions: Regions, in the order in which they are tried.
        spot: Whether a spot machine is asked for.
        is_wish: Whether `machine.gpus` or `auto` chooses the size.
        zero_stage: DeepSpeed's ZeRO stage.
        precision: In what numbers it trains.
        rows_per_step: Rows that one optimizer step takes.
        steps: Optimizer steps; null when the data cannot be counted.
        notes: What is to be known.
        size: The machine's size.
        model: The base model.
        data: What is trained on.
        saves: When it saves; null when the steps are unknown.
        need: What the workspace must hold, in bytes.
        disk: The workspace disk.
        disk_options: Disks that would be faster or cheaper.
        memory: What a GPU must hold; null without a GPU.
        time: How long it takes; null when unknown.
        cost: What it costs, in dollars.
        limits: When it stops, whatever happens.
        evictions_per_hour: How often a spot machine is lost there; null when unknown.
        chosen: The first place that is tried.
        placements: All of them, in order, each with its price and what stands in its way.
        other_way: The same for spot instead of on demand, or the other way round.
        switches: What ends the bill without you.
        cloud_said: What the cloud was asked and when; null when nobody was.
        can_be_launched: Whether `up` would begin.
        refusal: Why not; null when it would.
        trained: Parameters that are trained.
        packing: How rows lie in their batches; null when unknown.
        offload: What offloading to main memory does; null without it.
        asked: What happens after the training, in words; empty for nothing.
        stages: Each stage of a training that has several; empty otherwise.
        sources: What those sources said that the machine fetches; empty when nobody was asked.
        staging: What filling the disk from a small machine would save; null where that is not done.
    """

    schema: int
    name: str
    cloud: str
    run_id: str
    resource_group: str
    processes: int
    nodes: int
    regions: tuple[str, ...]
    spot: bool
    is_wish: bool
    zero_stage: int
    precision: str
    rows_per_step: int
    steps: int | None
    notes: tuple[str, ...]
    size: VmSize
    model: ModelSize
    data: DataSize | None
    saves: Mapping[str, Any] | None
    need: Mapping[str, float]
    disk: DiskChoice
    disk_options: tuple[DiskOption, ...]
    memory: Mapping[str, Any] | None
    time: Mapping[str, Any] | None
    cost: Mapping[str, Any]
    limits: LimitsInForce
    evictions_per_hour: float | None
    chosen: Mapping[str, Any]
    placements: tuple[Mapping[str, Any], ...]
    other_way: tuple[Mapping[str, Any], ...]
    switches: Mapping[str, Any]
    cloud_said: Mapping[str, Any] | None
    can_be_launched: bool
    refusal: Mapping[str, Any] | None
    trained: int
    packing: Mapping[str, Any] | None
    offload: Mapping[str, Any] | None
    asked: str
    stages: tuple[Mapping[str, Any], ...]
    sources: tuple[Mapping[str, Any], ...]
    staging: Mapping[str, Any] | None
