"""torchrun with two mends: SIGTERM lets the workers save for as long as it takes, and their exit code is handed on.

Plain torchrun kills its workers 30 seconds after SIGTERM, too short for a checkpoint of a 7B model, and ends with 1
whatever they ended with. Who asks us to leave sets the time himself, by killing the group when his patience ends.
Takes torchrun's arguments: `python -m templates.training.launch --standalone --nproc_per_node 2 -m MODULE …`.
"""

from __future__ import annotations

import signal
import sys

import psutil  # type: ignore[import-untyped]
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

_BY_SIGNAL = 128


def main(argv: list[str]) -> int:
    """Run the workers; give the exit code of the first that failed."""
    args = run.parse_args(["--signals_to_handle", "SIGINT,SIGHUP,SIGQUIT", *argv])
    signal.signal(signal.SIGTERM, _pass_on)
    try:
        run.run(args)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else _BY_SIGNAL - failure.exitcode
    return 0


def _pass_on(number: int, _frame: object) -> None:
    workers = psutil.Process().children()
    if not workers:
        sys.exit(_BY_SIGNAL + number)
    for worker in workers:
        worker.send_signal(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
