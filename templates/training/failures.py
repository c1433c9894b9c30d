"""What kind of failure an exception is, by its type: our own errors, Python's, torch's and safetensors'.

Only where a library raises a bare RuntimeError is its text looked at, and only after it has ended the training.
"""

from __future__ import annotations

import errno
import json
import sys
from typing import TYPE_CHECKING

from templates.training.errors import (
    ConversionError,
    DataError,
    ForeignCheckpointError,
    ModelError,
    NoSpaceError,
    RowsError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_DISK_BYTES = 64 << 20
_CODE = (ImportError, SyntaxError, NameError, AttributeError)
# gloo's transport and torch's allocator on the processor have no exceptions of their own; nor has cuBLAS, which cannot
# get its workspace when the GPU is full.
_BY_TEXT = {
    "DefaultCPUAllocator": "host_out_of_memory",
    "CUBLAS_STATUS_ALLOC_FAILED": "gpu_out_of_memory",
    "gloo/transport": "communication",
    "Connection closed by peer": "communication",
    "Connection reset by peer": "communication",
    "NCCL error": "communication",
}


def kind_of(error: BaseException, *, phase: str | None, free_bytes: int) -> str:
    """Name the kind: a word of the agent's table of answers (templates/agent/answers.py); `crash` where none fits.

    Args:
        error: What ended the training.
        phase: What it was doing.
        free_bytes: Free space of the run's disk: torch says only that it could not write.
    """
    kinds = (_kind(one, phase, free_bytes) for one in _chain(error))
    return next((kind for kind in kinds if kind), "crash")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        yield following
        seen.add(id(following))
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _kind(error: BaseException, phase: str | None, free_bytes: int) -> str | None:
    signs = (
        ("bad_data", isinstance(error, DataError)),
        ("bad_model", isinstance(error, ModelError)),
        ("usage", isinstance(error, ForeignCheckpointError | RowsError | ConversionError)),
        ("gpu_out_of_memory", _is_torch_error(error, "OutOfMemoryError")),
        ("host_out_of_memory", isinstance(error, MemoryError)),
        ("disk_full", _is_full(error, free_bytes)),
        ("communication", _is_torch_error(error, "distributed.DistError") or isinstance(error, ConnectionError)),
        ("code", isinstance(error, _CODE)),
        ("damaged_input", phase == "loading" and _is_unreadable(error)),
    )
    return next((kind for kind, seen in signs if seen), _kind_by_text(error))


def _is_torch_error(error: BaseException, name: str) -> bool:
    found: object = sys.modules.get("torch")
    for part in name.split("."):
        found = getattr(found, part, None)
    return isinstance(found, type) and isinstance(error, found)


def _is_full(error: BaseException, free_bytes: int) -> bool:
    if isinstance(error, OSError | NoSpaceError):
        return isinstance(error, NoSpaceError) or error.errno in _FULL
    # Neither torch's writer nor safetensors' hands the system's number on.
    return free_bytes < _FULL_DISK_BYTES and ("writ" in str(error) or "No space left" in str(error))


def _is_unreadable(error: BaseException) -> bool:
    return isinstance(error, json.JSONDecodeError) or type(error).__name__ == "SafetensorError"


def _kind_by_text(error: BaseException) -> str | None:
    if not isinstance(error, RuntimeError):
        return None
    return next((kind for text, kind in _BY_TEXT.items() if text in str(error)), None)
