"""The rows of a step stay the same whatever the number of processes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from templates.training.errors import RowsError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Batch:
    """How a step's rows are dealt out.

    Attributes:
        micro: Rows that one process takes at a time.
        accumulation: How often it does so in a step.
        processes: How many there are.
        group: Rows of one process in a step when the run began. `group_by_length` sorts among as many, so that they
            are part of the order of the data and never change in a run.
    """

    micro: int
    accumulation: int
    processes: int
    group: int

    @classmethod
    def asked(cls, micro: int, accumulation: int, processes: int) -> Batch:
        """What the command line asks for."""
        return cls(micro, accumulation, processes, micro * accumulation)

    @property
    def rows(self) -> int:
        """Rows of one step."""
        return self.micro * self.accumulation * self.processes

    def facts(self) -> dict[str, int]:
        """What a manifest says of it."""
        return {"rows_per_step": self.rows, "rows_per_process": self.group}


def going_on(asked: Batch, manifest: Mapping[str, Any]) -> Batch:
    """Give the batch with which the run of a checkpoint goes on: as many rows a step, in the same order.

    The Trainer deals out micro batches in turn, so that any division of a step's rows takes the same rows for it.

    Raises:
        RowsError: The command line asks for other steps than the checkpoint's run had, or its rows cannot be dealt
            out to this many processes.
    """
    rows, each = manifest.get("rows_per_step"), manifest.get("rows_per_process")
    if rows is None or each is None:
        return asked
    if asked.rows != rows and asked.group != each:
        raise RowsError(
            f"the checkpoint's steps have {rows} rows, and the command line asks for others: undo the change to go on, "
            f"or begin a new run: {asked.rows}"
        )
    if rows % asked.processes:
        raise RowsError(
            f"a step of {rows} rows cannot be dealt out to {asked.processes} processes: choose a size whose number of "
            f"GPUs divides {rows}"
        )
    mine = rows // asked.processes
    # Never more rows at a time than asked for: they might not fit into the GPU's memory.
    micro = max(size for size in range(1, min(asked.micro, mine) + 1) if mine % size == 0)
    return Batch(micro, mine // micro, asked.processes, each)
