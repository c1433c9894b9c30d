"""What is worth knowing before the money flows, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.types import Place
from runs.plan.memory_fit import Fit
from runs.plan.move_cost import COPY_MB_PER_SECOND, move_cost
from runs.plan.offload import BUFFER_FACTOR
from runs.plan.prices import SNAPSHOT_DATE
from runs.plan.two_speed import mirror_notes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.disk import DiskChoice
    from runs.plan.figures import Figures
    from runs.plan.memory_fit import MemoryFit
    from runs.plan.offload import Offload
    from runs.plan.plan import Cost
    from runs.spec.run_file import RunFile

# Recipes for adapters use 1e-4 to 3e-4; those for whole models 1e-5 to 5e-5.
_LEAST_ADAPTER_RATE = 6e-5


def notes_of(spec: RunFile, figures: Figures, cost: Cost, region: str) -> Iterator[str]:
    """Yield the notes of a plan."""
    size, steps = figures.size, figures.steps
    if steps is None:
        yield "the number of rows is known only when the data is on the machine: no steps, no save schedule yet"
    for training in spec.trainings:
        if training.data.rule_sets:
            whose = f"the data of {training.stage_name}" if spec.stages else "the data"
            rules = ", ".join(training.data.rule_sets)
            yield f"{whose} is curated on the machine before it is trained on, by: {rules}"
    if not size.gpus and spec.train.fp16:
        yield "fp16 is asked for, but the machine has no GPU: the trainer takes bf16 or fp32 and says so"
    if "wandb" in spec.train.report_to and "WANDB_API_KEY" not in spec.secrets:
        yield "wandb writes offline without secrets: [WANDB_API_KEY]"
    yield from _training(spec, figures)
    if spec.machine.spot:
        yield _move(spec, figures, region)
    yield from mirror_notes(spec)
    yield from _money(spec, figures.disk, cost, region)
    yield from _limits(spec, figures)


def _training(spec: RunFile, figures: Figures) -> Iterator[str]:
    """What the chosen GPUs and the amount of data say about the flags."""
    train, steps, gpu = spec.train, figures.steps, figures.size.gpu
    if gpu and train.precision == "fp16":
        yield f"bf16 is as fast on {gpu.name} and cannot overflow as fp16 does; it is the default without fp16: true"
    if gpu and train.precision == "fp32":
        yield f"fp32 runs many times slower than bf16 on {gpu.name}; leave out bf16: false"
    if steps is not None and train.warmup_steps >= steps:
        yield f"warmup_steps is not below the {steps:,} steps of the run: {train.warmup_steps:g}"
    yield from _adapters(spec, figures)
    yield from _memory(figures)


def _memory(figures: Figures) -> Iterator[str]:
    memory = figures.memory
    if memory is None:
        return
    if memory.activations_bytes is None:
        yield "the model's shape is unknown here, so activations are not counted: memory is a lower bound"
    if memory.fit is Fit.TIGHT:
        yield "memory is tight: fewer rows in a pass and more passes train the same (per_device_train_batch_size)"
    if figures.offload is not None:
        yield from _offload(figures, figures.offload, memory)


def _offload(figures: Figures, offload: Offload, memory: MemoryFit) -> Iterator[str]:
    """What is won on the GPU, and what that costs."""
    plain = next(stage for stage in memory.stages if stage.words == f"ZeRO-{max(figures.config.stage, 1)}")
    won = (plain.taken_bytes - memory.taken_bytes) / 1e9
    main = offload.main_memory_bytes * BUFFER_FACTOR / 1e9
    yield (
        f"offloading takes {won:.0f} GB from each GPU and {main:.0f} GB of main memory (with buffers), and makes each "
        f"step at least {offload.step_seconds:.1f} s longer, of {figures.one_step_seconds:.1f} s: the bus and Adam on "
        "the CPU; settings that let nothing stay on the GPU take several times that"
    )
    if plain.fit is Fit.FITS:
        taken = f"{plain.taken_bytes / 1e9:.0f} of {memory.gpu_gb} GB"
        yield f"offload is not needed here: {plain.words} alone takes {taken}"


def _adapters(spec: RunFile, figures: Figures) -> Iterator[str]:
    lora, rate = spec.train.adapters, spec.train.learning_rate
    if lora is None:
        return
    yield (
        f"adapters of about {figures.trained / 1e6:.1f} million parameters are trained; the final model has them "
        "merged into it, and they stay beside it in the folder adapter"
    )
    if rate < _LEAST_ADAPTER_RATE:
        yield f"adapters learn with about ten times the rate of a whole model, 2e-4 in most recipes; found: {rate:g}"
    if lora.quantize != "none":
        yield "4-bit weights are bitsandbytes' own work; they are untested on a GPU by this project"


def _limits(spec: RunFile, figures: Figures) -> Iterator[str]:
    hours = None if figures.time is None else figures.time.total_seconds / 3600
    if hours is not None and spec.limits.hours != "auto" and hours > spec.limits.hours:
        limit = f"{spec.limits.hours:g}"
        yield f"the run takes about {hours:.1f} hours and would be stopped before its end, limits.hours: {limit}"


def _move(spec: RunFile, figures: Figures, region: str) -> str:
    """What it takes after an eviction to go on where a machine can be had."""
    gb, disk_type = figures.need.total / 1e9, figures.disk.disk_type
    here = Place(region, None)
    zone = move_cost(here, Place(region, "1"), gb, disk_type)
    others = [move_cost(here, Place(other, None), gb, disk_type) for other in spec.machine.regions if other != region]
    dearest = max(others, key=lambda cost: cost.dollars, default=None)
    far = "" if dearest is None else f", to another region: {dearest.words}"
    assumed = "" if dearest is None else f", {COPY_MB_PER_SECOND:.0f} MB/s assumed"
    return (
        f"what it takes to bring the disk to a machine after an eviction, to another zone: {zone.words}{far} "
        f"({gb:.0f} GB at most{assumed}; allowed by machine.move: {spec.machine.move})"
    )


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
