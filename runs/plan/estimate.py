"""How long and how much: rough on purpose, and on the long side, because limits are made from it.

Formula: 6 operations per parameter and token (forward 2, backward 4), 2 more when activations are recomputed; of the
backward's 4 a frozen base needs 2, since nobody asks for its weights' gradients. Divided by what the hardware really
does. Sources: 40 % of a GPU's dense bf16 peak is what well-tuned fine-tuning reaches; on a
CPU, 10^10 operations a second per process was measured with a model of a million parameters under ZeRO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.sizes import VmSize
    from runs.spec.train import Train

_GPU_UTILISATION = 0.40
_CPU_OPERATIONS_PER_SECOND = 1e10
# Launcher, collectives and logging, per optimizer step.
_STEP_OVERHEAD_SECONDS = 0.5

# Booting, the environment and the GPU check; loading, verifying and tearing down.
_SETUP_SECONDS = {"azure": 1800.0, "rehearsal": 600.0}
# Base weights in and the finished model out, over a home connection at worst.
_TRANSFER_BYTES_PER_SECOND = 20e6


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """Where the time goes, in seconds.

    Attributes:
        step_seconds: One optimizer step.
        training_seconds: All steps.
        saving_seconds: All saves.
        around_seconds: Set-up, transfers, verification and teardown.
        after_seconds: Answers and scores of the finished models.
    """

    step_seconds: float
    training_seconds: float
    saving_seconds: float
    around_seconds: float
    after_seconds: float = 0.0

    @property
    def total_seconds(self) -> float:
        """From `up` to the receipt."""
        return self.training_seconds + self.saving_seconds + self.around_seconds + self.after_seconds


def step_seconds(parameters: int, tokens_per_step: float, size: VmSize, processes: int, train: Train) -> float:
    """Estimate one optimizer step, in seconds."""
    per_token = (6 if train.adapters is None else 4) + (2 if train.gradient_checkpointing else 0)
    operations = per_token * parameters * tokens_per_step
    each = size.gpu.teraflops * 1e12 * _GPU_UTILISATION if size.gpu else _CPU_OPERATIONS_PER_SECOND
    # More processes than cores do not help.
    return _STEP_OVERHEAD_SECONDS + operations / (each * (processes if size.gpu else min(processes, size.vcpus)))


def around_seconds(cloud: str, moved_bytes: int) -> float:
    """Estimate everything but training and saving, in seconds."""
    return _SETUP_SECONDS[cloud] + moved_bytes / _TRANSFER_BYTES_PER_SECOND
