"""torchrun with mends: workers may save at SIGTERM, their exit code counts, no two runs in one, machines meet.

Plain torchrun kills its workers 30 seconds after SIGTERM, too short for a checkpoint of a 7B model, and ends with 1
whatever they ended with. Who asks us to leave sets the time himself, by killing the group when his patience ends.
The launchers of several machines begin and end each attempt together (meeting.py).
Takes torchrun's arguments: `python -m templates.training.launch --standalone --nproc_per_node 2 -m MODULE …`; on one of
several machines `--nnodes N --node_rank I --master_addr ADDRESS --master_port PORT` instead of `--standalone`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from templates.training import exit_codes, fence, orphans
from templates.training.errors import BusyError
from templates.training.meeting import Lines, NobodyCameError, meet

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

# Rows of many lengths leave gaps between blocks of fixed sizes; segments that can grow leave none. On an H200, LoRA of
# a 7B model took 22.9 GiB instead of 27.2, as fast.
_ALLOCATOR = "expandable_segments:True"
_ALLOCATOR_NAMES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
_BY_SIGNAL = 128
# The agent has ended what was left before it starts us; a disk may keep a process for some seconds more.
_PATIENCE_SECONDS = 60.0
# A machine that is started again, or replaced, boots for minutes.
_MEETING_SECONDS = 1800.0
# So long the workers may say by themselves that the others have gone.
_LAST_WORDS_SECONDS = 20.0
_HALVINGS = "LLAMALIFT_HALVINGS"
_IN_ORDER = {exit_codes.OK, exit_codes.CHECKPOINTED}
# The ends of those who only lost the others, or were ended for that.
_SECOND_HAND = {exit_codes.COMMUNICATION, exit_codes.CHECKPOINTED, -signal.SIGTERM, _BY_SIGNAL + signal.SIGTERM}


def main(argv: list[str]) -> int:
    """Run the workers; give the exit code of the first that failed by itself."""
    args = run.parse_args(["--signals_to_handle", "SIGINT,SIGHUP,SIGQUIT", *argv])
    os.environ[orphans.LAUNCHER_VARIABLE] = str(os.getpid())
    if not any(name in os.environ for name in _ALLOCATOR_NAMES):
        os.environ[_ALLOCATOR_NAMES[0]] = _ALLOCATOR
    if records := os.environ.get("LLAMALIFT_ATTEMPT_DIR"):
        os.environ[orphans.LEAVE_VARIABLE] = str(Path(records) / "asked-to-leave")
    signal.signal(signal.SIGTERM, _pass_on)
    try:
        with fence.take(_PATIENCE_SECONDS) or contextlib.nullcontext():
            return _run_with_others(args) if args.nnodes.isdigit() and int(args.nnodes) > 1 else _run(args)
    except BusyError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the log is where the user looks
        return exit_codes.BUSY
    except NobodyCameError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - as above
        return exit_codes.ALONE


def _run(args: argparse.Namespace) -> int:
    try:
        run.run(args)
    except ChildFailedError as error:
        failures = sorted(error.failures.values(), key=lambda failure: failure.timestamp)
        return handed_on(failure.exitcode for failure in failures)
    return exit_codes.OK


def _run_with_others(args: argparse.Namespace) -> int:
    """Meet the other machines' launchers, then run; whoever loses them ends its workers, too."""
    patience = float(os.environ.get("LLAMALIFT_MEETING_SECONDS", _MEETING_SECONDS))
    nodes, address, port = int(args.nnodes), args.master_addr, int(args.master_port)
    halvings = int(os.environ.get(_HALVINGS, "0"))
    lines = meet(int(args.node_rank), nodes, address, port, patience_seconds=patience, halvings=halvings)
    args.master_port, args.rdzv_id = lines.attempt.port, lines.attempt.name
    # Only the agent of the machine whose GPU ran full knows; all ranks must deal out rows alike.
    os.environ[_HALVINGS] = str(lines.attempt.halvings)
    interface = interface_of(lines.attempt.address)
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(variable, interface)
    lines.watch(_end_workers)
    code = exit_codes.CRASH
    try:
        code = _run(args)
    finally:
        lines.close(in_order=code in _IN_ORDER)
    return exit_codes.COMMUNICATION if _is_echo(code, lines) else code


def _is_echo(code: int, lines: Lines) -> bool:
    return lines.lost is not None and code in _SECOND_HAND | {_BY_SIGNAL + signal.SIGKILL}


def _end_workers(lost: int) -> None:
    print(f"lost machine {lost + 1} of this training: ending this attempt", flush=True)  # noqa: T201 - as above
    time.sleep(_LAST_WORDS_SECONDS)
    # Who is left waits for the others inside NCCL, perhaps for half an hour. Only torchrun may wait for its children:
    # it would take one whose end somebody else has read for one that succeeded.
    for worker in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()


def interface_of(address: str) -> str:
    """Give the network interface that has an address; gloo would take the one that the host's name resolves to.

    Raises:
        LookupError: None has it.
    """
    wanted = "127.0.0.1" if address.startswith("127.") else address
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == wanted for one in addresses):
            return str(name)
    raise LookupError(f"no network interface has the address: {address}")


def handed_on(codes: Iterable[int]) -> int:
    """Choose among the workers' codes, the earliest first: that of one whose trouble was its own, if there is any.

    A worker that a signal has ended counts as with a shell, 128 and the signal's number.
    """
    chosen = min(codes, key=lambda code: code in _SECOND_HAND)
    return chosen if chosen > 0 else _BY_SIGNAL - chosen


def _pass_on(number: int, _frame: object) -> None:
    workers = psutil.Process().children()
    if not workers:
        sys.exit(_BY_SIGNAL + number)
    if flag := os.environ.get(orphans.LEAVE_VARIABLE):
        # On a full disk nothing can be saved either.
        with contextlib.suppress(OSError):
            Path(flag).touch()
    for worker in workers:
        worker.send_signal(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
