"""Is a GPU machine fit to train? Driver, number of cards, and an all-reduce over all of them, in about ten seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.command import Command
from remote.errors import CommandFailedError, GpuCheckError
from remote.text import printable

if TYPE_CHECKING:
    from remote.layout import RunLayout
    from remote.session import Session

_HINT = "such a machine seldom mends itself: `llamalift down RUN`, then start again, in another zone where there is one"
_CHECK_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class GpuReport:
    """What the check saw.

    Attributes:
        names: The cards.
        driver_version: NVIDIA's driver.
        gigabytes_per_second: Bus bandwidth of the all-reduce; 0 with one card.
    """

    names: tuple[str, ...]
    driver_version: str
    gigabytes_per_second: float


def check_gpus(session: Session, python: str, layout: RunLayout, expected_gpus: int) -> GpuReport:
    """Try the driver and NCCL. The trainer's archive must be on the machine.

    Raises:
        GpuCheckError: A card is missing, the driver does not answer, or the all-reduce fails.
        UnreachableError: The connection broke.
    """
    names, driver = _cards(session)
    if len(names) != expected_gpus:
        raise GpuCheckError(f"the machine should have {expected_gpus} GPUs and shows: {len(names)}", hint=_HINT)
    report = all_reduce(session, python, layout, expected_gpus)
    return GpuReport(names, driver, report)


def all_reduce(session: Session, python: str, layout: RunLayout, ranks: int, *, backend: str = "nccl") -> float:
    """Run the all-reduce alone (`gloo` works without GPUs); returns its bus bandwidth in GB/s.

    Raises:
        GpuCheckError: It fails.
    """
    command = Command.of(
        python, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks),
        "-m", "templates.training.gpu_check", "--backend", backend,
    ).with_environment({"PYTHONPATH": layout.trainer_zipapp, "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        done = session.run(command, timeout_seconds=_CHECK_SECONDS)
        facts = json.loads(done.stdout.splitlines()[-1])
        if facts["ranks"] != ranks:
            raise GpuCheckError(f"of {ranks} processes these took part in the check: {facts['ranks']}", hint=_HINT)
        return float(facts["gigabytes_per_second"])
    except CommandFailedError as error:
        raise GpuCheckError(f"the GPUs cannot work together: {_cause(error)}", hint=_HINT) from error
    except (ValueError, LookupError, TypeError) as error:
        raise GpuCheckError("the GPU check gave no answer", hint=_HINT) from error


def _cards(session: Session) -> tuple[tuple[str, ...], str]:
    query = Command.of("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    try:
        lines = printable(session.run(query).stdout.decode(errors="replace")).splitlines()
    except CommandFailedError as error:
        raise GpuCheckError(f"the GPU driver does not answer: {error.fact}", hint=_HINT) from error
    cards = [tuple(word.strip() for word in line.rsplit(",", 1)) for line in lines if "," in line]
    return tuple(name for name, _ in cards), cards[0][1] if cards else ""


def _cause(error: CommandFailedError) -> str:
    """The line that says most: torchrun ends with a table of its own."""
    lines = [line.strip() for line in error.stderr.splitlines() if "Error" in line or "rank " in line]
    return lines[0] if lines else error.fact
