"""Whether weights and data should be on the disk before the machine with GPUs exists, and what that saves. Pure.

Formula: the GPU machine's price for the time that its environment and its inputs take to arrive, minus the small
machine's for the same time and for its own boot and deletion. Rates and times are assumptions, on the cautious side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.plan.prices import machine_price
from runs.spec.sources import LocalSource, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.plan import Plan
    from runs.spec.run_file import RunFile

SIZE = "Standard_D4s_v5"
"""The small machine: its network and its way to the disk are faster than most lines, for some cents an hour."""
# Azure boots and deletes a small machine in a few minutes; a CUDA environment is unpacked in about ten.
_BOOT_SECONDS, _ENVIRONMENT_SECONDS = 300.0, 600.0
# A home connection at worst (`runs.plan.estimate`), and what the small machine writes to its disk.
_OWN_BYTES_PER_SECOND, _FETCHED_BYTES_PER_SECOND = 20e6, 100e6
WORTH_DOLLARS = 0.50


@dataclass(frozen=True, slots=True)
class Staging:
    """What staging would do.

    Attributes:
        size: The small machine.
        seconds: What the inputs and the environment take.
        gpu_dollars: What the machine with GPUs would cost meanwhile.
        small_dollars: What the small machine costs instead, with its boot and deletion.
        is_chosen: Whether the run does so.
    """

    size: str
    seconds: float
    gpu_dollars: float
    small_dollars: float
    is_chosen: bool

    @property
    def saving_dollars(self) -> float:
        """What is saved; below zero when it costs more."""
        return self.gpu_dollars - self.small_dollars


def staging_of(spec: RunFile, plan: Plan) -> Staging | None:
    """Work out what staging saves on the chosen machine; None for several machines, which do not stage."""
    wanted = spec.storage.stage
    if spec.machine.nodes > 1:
        return None
    seconds = _seconds(spec, plan)
    small = machine_price(SIZE, plan.chosen.placement.region).dollars_per_hour
    gpu = plan.chosen.machine_dollars_per_hour * seconds / 3600
    instead = small * (seconds + _BOOT_SECONDS) / 3600
    is_worth = wanted == "auto" and gpu - instead >= WORTH_DOLLARS
    return Staging(SIZE, seconds, gpu, instead, is_chosen=wanted == "always" or is_worth)


def staging_notes(spec: RunFile, staging: Staging | None) -> Iterator[str]:
    """Yield what staging saves, where it is worth a word."""
    if staging is None or (not staging.is_chosen and staging.saving_dollars < WORTH_DOLLARS):
        return
    dollars = f"${staging.gpu_dollars:.2f} of the machine for ${staging.small_dollars:.2f}"
    took = f"about {staging.seconds / 60:.0f} minutes, {dollars}"
    if staging.is_chosen:
        sign = "saves" if staging.saving_dollars >= 0 else "costs"
        yield (
            f"a {staging.size} fills the disk before the machine is rented (storage.stage: {spec.storage.stage}): "
            f"{took}, {sign} ${abs(staging.saving_dollars):.2f}"
        )
    else:
        yield f"storage.stage: always would save ${staging.saving_dollars:.2f}: {took} while the disk is filled"


def _seconds(spec: RunFile, plan: Plan) -> float:
    need = plan.need
    is_local = isinstance(parse_source(spec.model.source), LocalSource)
    moved = need.weights / (_OWN_BYTES_PER_SECOND if is_local else _FETCHED_BYTES_PER_SECOND)
    return moved + need.data / _OWN_BYTES_PER_SECOND + _ENVIRONMENT_SECONDS
