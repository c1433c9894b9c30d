"""The training log: what is already on this computer, then what the machine has beyond it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from remote.errors import UnreachableError
from runs.facts import Prepared
from runs.log_copy import log_of
from runs.nodes import machine_of
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.context import RunContext
    from runs.log_copy import LogCopy
    from runs.run import Run

_POLL_SECONDS = 1.0
_CONNECT_SECONDS = 20.0
_ENDED = frozenset({"done", "failed", "stopped"})


def read_log(run: Run, *, follow: bool, machine: int = 1) -> Iterator[bytes]:
    """The log in pieces, from its first byte; with `follow`, until the job has ended.

    Nothing is fetched twice: the copy on this computer ends where the next piece begins.

    Args:
        run: The run.
        follow: Go on until the job has ended.
        machine: Which of several machines, from 1.

    Raises:
        RunError: The run has no such machine.
        UnreachableError: The machine does not answer; what is on this computer was given first.
    """
    copy = log_of(run.folder, machine - 1)
    known = copy.file.read_bytes() if copy.size else b""
    if known:
        yield known
    is_active = run.row.state is RunState.ACTIVE
    if not is_active and (known or machine == 1):
        return
    with run.context() as context:
        one = machine_of(context, machine)
        if not is_active or one.get(Prepared) is None:
            return
        # Not from the end of the copy: `up` may have made it longer since it was read.
        yield from _from_machine(one, copy, len(known), follow=follow)


def _from_machine(context: RunContext, copy: LogCopy, at: int, *, follow: bool) -> Iterator[bytes]:
    from remote.agent import read_status
    from runs.masking import masked_status

    lost = False
    while True:
        try:
            session = context.session(deadline_seconds=_CONNECT_SECONDS, fresh=lost)
            status = masked_status(context, read_status(session, context.layout(), log_from=at))
        except UnreachableError:
            if lost:
                raise
            lost = True
            continue
        lost = False
        copy.append(status.log)
        at = status.log.end
        if status.log.data:
            yield status.log.data
        if at >= status.log.size:
            if not follow or status.phase in _ENDED:
                return
            time.sleep(_POLL_SECONDS)
