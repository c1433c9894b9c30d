"""Make a plan: every figure once, and every reason why the run could not work, all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runs.plan.deepspeed_lint import Lint, lint
from runs.plan.disk import (
    CPU_ENVIRONMENT_BYTES,
    GIB,
    GPU_ENVIRONMENT_BYTES,
    UNKNOWN_DATA_BYTES,
    DiskChoice,
    DiskNeed,
    choose_disk,
)
from runs.plan.estimate import TimeEstimate, around_seconds, step_seconds
from runs.plan.limits import cost_of, limits_of
from runs.plan.memory import state_bytes_per_gpu
from runs.plan.model_size import ModelSize, model_size
from runs.plan.notes import notes_of
from runs.plan.plan import Plan, SavePlan
from runs.plan.sizes import CPU_PROCESSES, VmSize, find_size
from runs.plan.steps import DataSize, data_size, rows_per_step, total_steps
from runs.plan.trouble import Trouble
from runs.spec.sources import LocalSource, parse_source
from templates.training.errors import DataError
from templates.training.save_schedule import save_steps
from templates.training.sizes import checkpoint_bytes, model_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from runs.spec.load import LoadedRunFile

# A rehearsal trains on this computer's CPU: beyond this a step takes minutes and the memory is gone.
MOST_REHEARSAL_PARAMETERS = 500_000_000
# The share of a GPU's memory that weights and optimizer may take; activations need the rest.
MOST_STATE_SHARE = 0.9


@dataclass(slots=True)
class _Draft:
    """What has been found out so far."""

    loaded: LoadedRunFile
    trouble: Trouble
    size: VmSize
    processes: int
    config: Lint
    model: ModelSize
    data: DataSize | None = field(default=None)


def make_plan(loaded: LoadedRunFile) -> Plan:
    """Plan a run from its run file and the local files that it names; no network.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    trouble = Trouble(loaded)
    size = _size(loaded, trouble)
    processes = _processes(loaded, size, trouble)
    config = lint(loaded.deepspeed_config(), loaded.spec.train, processes, gpus=size.gpus)
    for fault in config.faults:
        trouble.add(("train", "deepspeed"), fault)
    model = _model(loaded, trouble)
    draft = _Draft(loaded, trouble, size, processes, config, model, _data(loaded, trouble))
    trouble.stop_if_any()
    plan = _plan(draft)
    trouble.stop_if_any()
    return plan


def _size(loaded: LoadedRunFile, trouble: Trouble) -> VmSize:
    machine = loaded.spec.machine
    size = find_size(machine.size)
    if size is None:
        trouble.unknown_size(machine.size)
        return VmSize(machine.size, CPU_PROCESSES, 0, 1)
    if size.gpus and loaded.spec.cloud == "rehearsal":
        trouble.add(("machine", "size"), f"a rehearsal machine has no GPU; take Standard_D2s_v5, found: {machine.size}")
    return size


def _processes(loaded: LoadedRunFile, size: VmSize, trouble: Trouble) -> int:
    wanted = loaded.spec.machine.processes
    if wanted == "auto":
        return size.gpus or CPU_PROCESSES
    most = size.gpus or size.vcpus
    if wanted > most:
        what = "GPUs" if size.gpus else "CPU cores"
        trouble.add(("machine", "processes"), f"at most the {most} {what} of {size.name}, found: {wanted}")
    return wanted


def _model(loaded: LoadedRunFile, trouble: Trouble) -> ModelSize:
    found = model_size(loaded)
    if found is None:
        trouble.add(("model",), "nothing tells how large the model is; give model.parameters_billion")
        return ModelSize(1, 1, "unknown")
    if loaded.spec.cloud == "rehearsal" and found.parameters > MOST_REHEARSAL_PARAMETERS:
        billions = found.parameters / 1e9
        trouble.add(
            ("model", "from"),
            f"a rehearsal trains on this computer's CPU: at most 0.5 billion parameters, found: {billions:.1f}",
        )
    return found


def _data(loaded: LoadedRunFile, trouble: Trouble) -> DataSize | None:
    try:
        return data_size(loaded)
    except DataError as error:
        trouble.add(("data", "from"), str(error))
        return None


def _plan(draft: _Draft) -> Plan:
    spec, size = draft.loaded.spec, draft.size
    need = _need(draft)
    disk = _disk(draft, need)
    steps = None if draft.data is None else total_steps(draft.data.rows, spec.train, draft.processes)
    one_step = _step_seconds(draft)
    saves = None if steps is None else _saves(draft, steps, one_step, need.checkpoint / (disk.mb_per_second * 1e6))
    time = None if steps is None or saves is None else _time(draft, steps, one_step, saves, need)
    cost = cost_of(spec, size, disk, time)
    return Plan(
        name=spec.name,
        cloud=spec.cloud,
        run_id=f"{spec.name}-xxxxxx",
        resource_group=f"llamalift-{spec.name}-xxxxxx",
        size=size,
        processes=draft.processes,
        regions=spec.machine.regions,
        spot=spec.machine.spot,
        model=draft.model,
        data=draft.data,
        zero_stage=draft.config.stage,
        precision=spec.train.precision,
        rows_per_step=rows_per_step(spec.train, draft.processes),
        steps=steps,
        saves=saves,
        need=need,
        disk=disk,
        gpu_state_bytes=_gpu_state_bytes(draft),
        time=time,
        cost=cost,
        limits=limits_of(spec.limits, time, cost),
        notes=(*draft.config.notes, *notes_of(spec, size, disk, cost, steps)),
    )


def _need(draft: _Draft) -> DiskNeed:
    spec, parameters = draft.loaded.spec, draft.model.parameters
    precision = spec.train.precision
    synced = sum(_local_bytes(draft.loaded, item.source) for item in spec.sync)
    data = _local_bytes(draft.loaded, spec.data.source) or UNKNOWN_DATA_BYTES
    return DiskNeed(
        weights=draft.model.weight_bytes,
        checkpoint=checkpoint_bytes(parameters, draft.config.stage, precision),
        checkpoints=spec.kept_checkpoints + 1,
        final=model_bytes(parameters, precision),
        data=data + synced,
        environment=GPU_ENVIRONMENT_BYTES if draft.size.gpus else CPU_ENVIRONMENT_BYTES,
    )


def _local_bytes(loaded: LoadedRunFile, source: str) -> int:
    parsed = parse_source(source)
    return _tree_bytes(loaded.resolve(parsed.path)) if isinstance(parsed, LocalSource) else 0


def _tree_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _disk(draft: _Draft, need: DiskNeed) -> DiskChoice:
    storage = draft.loaded.spec.storage
    wanted = None if storage.workspace_gib == "auto" else storage.workspace_gib
    least = math.ceil(need.total / GIB)
    if wanted is not None and wanted < least:
        draft.trouble.add(("storage", "workspace_gib"), f"too small for what must fit: {least} GiB, found: {wanted}")
    return choose_disk(
        need,
        storage.disk_type,
        wanted_gib=wanted,
        machine_mb_per_second=draft.size.disk_mb_per_second,
        parameters=draft.model.parameters,
    )


def _step_seconds(draft: _Draft) -> float:
    train = draft.loaded.spec.train
    tokens = train.model_max_length if draft.data is None else draft.data.tokens_per_row
    tokens_per_step = rows_per_step(train, draft.processes) * tokens
    return step_seconds(draft.model.parameters, tokens_per_step, draft.size, draft.processes, train)


def _saves(draft: _Draft, steps: int, one_step: float, one_save: float) -> SavePlan:
    saved = save_steps(draft.loaded.spec.save_schedule, steps, one_step, one_save)
    widest = max(after - before for before, after in zip((0, *saved), saved, strict=False))
    training, saving = steps * one_step, len(saved) * one_save
    return SavePlan(saved, one_save, widest * one_step, saving / (training + saving))


def _time(draft: _Draft, steps: int, one_step: float, saves: SavePlan, need: DiskNeed) -> TimeEstimate:
    around = around_seconds(draft.loaded.spec.cloud, need.weights + need.data + need.final)
    return TimeEstimate(one_step, steps * one_step, len(saves.steps) * saves.save_seconds, around)


def _gpu_state_bytes(draft: _Draft) -> int | None:
    if draft.size.gpu is None:
        return None
    state = state_bytes_per_gpu(draft.model.parameters, draft.processes, draft.config)
    most = draft.size.gpu.memory_gb * MOST_STATE_SHARE
    if state > most * 1e9:
        draft.trouble.add(
            ("machine", "size"),
            f"weights and optimizer state need {state / 1e9:.0f} GB on each GPU under ZeRO-{draft.config.stage}, "
            f"but it has: {draft.size.gpu.memory_gb} GB",
        )
    return state
