"""Exceptions told apart by their types, command lines cut into smaller parts, losses that jump."""

from __future__ import annotations

import errno
import json
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.training.errors import DataError, ModelError, NoSpaceError, RowsError, SaveBrokenError
from templates.training.failures import kind_of
from templates.training.smaller import parts, shrink, shrink_deepspeed
from templates.training.spikes import SpikeWatch

ROOM = 1 << 40


def kind(error: BaseException, phase: str = "training", free_bytes: int = ROOM) -> str:
    """As the trainer asks."""
    return kind_of(error, phase=phase, free_bytes=free_bytes)


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (DataError("row 3"), "bad_data"),
        (ModelError("NaN"), "bad_model"),
        (NoSpaceError("short"), "disk_full"),
        (RowsError("other rows"), "usage"),
        (SaveBrokenError("why is in its cause"), "crash"),
        (MemoryError(), "host_out_of_memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate"), "host_out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "gpu_out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EIO, "Input/output error"), "crash"),
        (RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error"), "communication"),
        (ConnectionResetError(), "communication"),
        (ImportError("no module"), "code"),
        (NameError("x"), "code"),
        (ValueError("CUDA out of memory, NCCL error"), "crash"),
        (RuntimeError("shape mismatch"), "crash"),
    ],
)
def test_the_type_names_the_kind(error: BaseException, named: str) -> None:
    """Text counts only in a bare RuntimeError of a library that has no type of its own for it."""
    assert kind(error) == named


def test_torchs_own_types_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up in the torch that is loaded; without one there are none."""
    torch = types.ModuleType("torch")
    full = type("OutOfMemoryError", (RuntimeError,), {})
    lost = type("DistError", (RuntimeError,), {})
    torch.OutOfMemoryError = full  # type: ignore[attr-defined]
    torch.distributed = types.SimpleNamespace(DistError=lost)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert kind(full("CUDA out of memory")) == "gpu_out_of_memory"
    assert kind(type("DistBackendError", (lost,), {})("NCCL")) == "communication"


def test_what_an_error_was_raised_from_counts() -> None:
    """A library that wraps a full disk in an error of its own."""
    error = RuntimeError("could not save")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert kind(error) == "disk_full"
    within = RuntimeError("could not save")
    within.__context__ = error
    assert kind(within) == "disk_full"
    within.__suppress_context__ = True
    assert kind(within) == "crash"


def test_a_writer_that_fails_on_a_full_disk_failed_for_that() -> None:
    """The one of torch says only that it could not write."""
    error = RuntimeError(
        "[enforce fail at inline_container.cc:664] . unexpected pos, PytorchStreamWriter failed writing"
    )
    assert kind(error, free_bytes=0) == "disk_full"
    assert kind(error) == "crash"


def test_a_file_that_cannot_be_read_is_damaged_only_while_loading() -> None:
    """Later it is a fault of the program."""
    error = json.JSONDecodeError("Expecting value", "", 0)
    assert kind(error, "loading") == "damaged_input"
    assert kind(error, "training") == "crash"


@given(st.integers(1, 4096), st.integers(0, 12))
def test_a_step_keeps_its_rows(micro: int, halvings: int) -> None:
    """Parts multiply to what was asked for, none is larger than its half, its quarter …; the last is one row."""
    rows, pieces = parts(micro, halvings)
    assert rows * pieces == micro
    assert rows <= max(1, micro >> halvings)
    assert parts(micro, 12) == (1, micro)


def test_the_flags_are_changed_together() -> None:
    """Also where one of them is the library's default; nothing changes while nothing ran full."""
    words = ["--per_device_train_batch_size", "8", "--gradient_accumulation_steps", "4", "--bf16", "True"]
    smaller, note = shrink(words, 1)
    assert smaller == ["--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "8", "--bf16", "True"]
    assert note is not None
    assert "4 rows at once instead of 8, 2 times as often" in note
    assert shrink(["--bf16", "True"], 2)[0][2:] == [
        "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "4",
    ]  # fmt: skip
    assert shrink(words, 0) == (words, None)
    config: dict[str, int | str] = {"train_micro_batch_size_per_gpu": 8, "train_batch_size": 64}
    shrink_deepspeed(config)
    assert config == {"train_micro_batch_size_per_gpu": "auto", "train_batch_size": "auto"}


def test_a_jump_is_told_once_and_a_noisy_fall_never() -> None:
    """Falling with noise of a tenth is usual; three times as much is a jump, as long as it lasts the same one."""
    watch = SpikeWatch()
    losses = [3 * 0.99**step + 0.1 * (step * 7 % 5 - 2) / 2 for step in range(200)]
    assert [watch.see(step, loss) for step, loss in enumerate(losses)] == [None] * 200
    words = [watch.see(step, loss) for step, loss in [(200, 3.0), (201, 3.1), (202, 0.5), (203, float("nan"))]]
    assert words[0] is not None
    assert "jumped at step 200: 3" in words[0]
    assert words[1:] == [None, None, None]
