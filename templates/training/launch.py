"""torchrun with three mends: SIGTERM lets the workers save, their exit code is handed on, no two write into one run.

Plain torchrun kills its workers 30 seconds after SIGTERM, too short for a checkpoint of a 7B model, and ends with 1
whatever they ended with. Who asks us to leave sets the time himself, by killing the group when his patience ends.
Takes torchrun's arguments: `python -m templates.training.launch --standalone --nproc_per_node 2 -m MODULE …`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from templates.training import exit_codes, fence, orphans
from templates.training.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterable

_BY_SIGNAL = 128
# The agent has ended what was left before it starts us; a disk may keep a process for some seconds more.
_PATIENCE_SECONDS = 60.0
# The ends of those who only lost the others, or were ended for that.
_SECOND_HAND = {exit_codes.COMMUNICATION, exit_codes.CHECKPOINTED, -signal.SIGTERM, _BY_SIGNAL + signal.SIGTERM}


def main(argv: list[str]) -> int:
    """Run the workers; give the exit code of the first that failed by itself."""
    args = run.parse_args(["--signals_to_handle", "SIGINT,SIGHUP,SIGQUIT", *argv])
    os.environ[orphans.LAUNCHER_VARIABLE] = str(os.getpid())
    if records := os.environ.get("LLAMALIFT_ATTEMPT_DIR"):
        os.environ[orphans.LEAVE_VARIABLE] = str(Path(records) / "asked-to-leave")
    signal.signal(signal.SIGTERM, _pass_on)
    try:
        with fence.take(_PATIENCE_SECONDS) or contextlib.nullcontext():
            run.run(args)
    except BusyError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the log is where the user looks
        return exit_codes.BUSY
    except ChildFailedError as error:
        failures = sorted(error.failures.values(), key=lambda failure: failure.timestamp)
        return handed_on(failure.exitcode for failure in failures)
    return exit_codes.OK


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
