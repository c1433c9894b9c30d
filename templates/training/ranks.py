"""What the ranks tell each other about files: slow things, so with patience, and always all of them together."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist

from templates.training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Hashing and converting 94 GB on a slow disk takes an hour. Training's own group gives up after half of one, and NCCL's
# wait would keep the GPU busy; over gloo a rank that dies is noticed at once, however long the wait may be.
_PATIENCE = timedelta(hours=24)


class Ranks:
    """All ranks of the training; at home also where there is only one."""

    def __init__(self) -> None:
        """Open a group of our own; collective, after the communication is up."""
        self._group = dist.new_group(backend="gloo", timeout=_PATIENCE) if dist.is_initialized() else None
        self.rank = 0 if self._group is None else dist.get_rank()
        self.is_first = self.rank == 0
        # How many ranks are on this machine; the first of them looks after its files.
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        self.leaders = (0,) if self._group is None else tuple(range(0, dist.get_world_size(), self.here))
        self.is_leader = self.rank in self.leaders
        # Opened by every rank, whether it is one of them or not.
        self.leaders_group = (
            dist.new_group(list(self.leaders), backend="gloo", timeout=_PATIENCE) if len(self.leaders) > 1 else None
        )

    def barrier(self) -> None:
        """Wait for every rank."""
        if self._group is not None:
            dist.barrier(group=self._group)

    def any(self, word: bool) -> bool:  # noqa: FBT001 - the word is all there is to say
        """Say whether it is true on any rank."""
        if self._group is None:
            return word
        flag = torch.tensor([int(word)])
        dist.all_reduce(flag, op=dist.ReduceOp.MAX, group=self._group)
        return bool(flag.item())

    def gather(self, word: T | None) -> list[T]:
        """Give what the ranks say, in their order, without those that say nothing."""
        if self._group is None:
            return [] if word is None else [word]
        said: list[T | None] = [None] * dist.get_world_size()
        dist.all_gather_object(said, word, group=self._group)
        return [word for word in said if word is not None]

    def first(self, do: Callable[[], T]) -> T:
        """Let rank 0 do something; every rank gets its result, or raises what it raised."""
        box: list[object] = [None, None]
        if self.is_first:
            try:
                box[0] = do()
            except Exception as error:  # noqa: BLE001 - raised below, on every rank: else the others would wait for ever
                # Some libraries' own cannot be sent to another process.
                box[1] = error if isinstance(error, TrainingError | OSError) else RuntimeError(repr(error))
        if self._group is not None:
            dist.broadcast_object_list(box, src=0, group=self._group)
        if isinstance(box[1], Exception):
            raise box[1]
        return box[0]  # type: ignore[return-value]
