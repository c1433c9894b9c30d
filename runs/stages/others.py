"""The further machines of a run while it trains: each has a job of its own beside the first one's."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from remote.errors import MachineOffError, RemoteError, UnreachableError
from runs.facts import Submitted
from runs.looking import look_at
from runs.nodes import first_rented
from runs.pause import stop_and_wait
from runs.power import refuse_if_off
from runs.training_steps import Seat
from runs.types import StageName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remote.agent import AgentStatus
    from runs.context import RunContext

_STAGE = StageName.TRAIN
_CONNECT_SECONDS = 10.0


def seat_of(context: RunContext) -> Seat | None:
    """A machine's place among those that train together; None for one alone."""
    nodes = context.spec.machine.nodes
    return Seat(context.node, nodes, meeting_place(context)) if nodes > 1 else None


def meeting_place(context: RunContext) -> str:
    """The address at which several machines meet; empty for one alone."""
    return first_rented(context).private_address if context.spec.machine.nodes > 1 else ""


class Others:
    """What a client does with them."""

    def __init__(self) -> None:
        # Over all machines: what was said once is not said again.
        self._said: set[tuple[int, str]] = set()

    def ready(self, context: RunContext, submit: Callable[[RunContext, Submitted], None]) -> None:
        """Have each of them wait for the first machine, or train beside it; one that does so already goes on.

        Args:
            context: The run.
            submit: Hands a job over to a machine.
        """
        for one in context.others():
            submitted = one.get(Submitted)
            if submitted is None:
                submit(one, Submitted(at=time.time()))
            else:
                self._ready_again(one, submitted, submit)

    def _ready_again(
        self, one: RunContext, submitted: Submitted, submit: Callable[[RunContext, Submitted], None]
    ) -> None:
        from remote.agent import has_secrets, put_secrets, read_status
        from remote.machine import wait_until_booted
        from runs.secrets import read_secrets

        session, layout = one.session(_STAGE), one.layout()
        wait_until_booted(session, layout)
        status = read_status(session, layout)
        if one.spec.secrets and not has_secrets(session, layout):
            put_secrets(session, layout, read_secrets(one.spec.secrets))
        if status.phase == "waiting":
            submit(one, submitted)
            return
        if status.phase == "running":
            if submitted.first_address == meeting_place(one):
                return
            # It knocks where another first machine was.
            stop_and_wait(one, lambda message: one.reporter.waiting(_STAGE, message))
        submit(one, replace(submitted, number=submitted.number + 1))

    def hear_out(self, context: RunContext) -> None:
        """Fetch the rest of each one's log: the job is over, and nobody looks again."""
        for one in context.others():
            try:
                look_at(one, one.session(_STAGE, deadline_seconds=_CONNECT_SECONDS))
            except RemoteError as error:
                one.hang_up()
                one.reporter.note(f"the end of its log did not come home: {error.fact}")

    def look(self, context: RunContext) -> Iterator[tuple[RunContext, AgentStatus]]:
        """Yield how things stand on each that answers, pass on what it has to say, and fetch what is new in its log.

        Raises:
            MachineOffError: The cloud says that one is off: the first machine would wait for it in vain.
        """
        for one in context.others():
            try:
                session = one.session(_STAGE, deadline_seconds=_CONNECT_SECONDS)
                status = look_at(one, session)
            except MachineOffError:
                raise
            except UnreachableError:
                one.hang_up()
                refuse_if_off(one)
                continue
            for note in status.notes:
                if (one.node, note) not in self._said:
                    self._said.add((one.node, note))
                    one.reporter.note(note)
            yield one, status
