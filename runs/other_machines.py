"""How the further machines of a run stand, for its status: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.errors import RemoteError
from runs.facts import Prepared, Rented
from runs.looking import look_at
from runs.nodes import machines_of
from runs.secrets import masker_for

if TYPE_CHECKING:
    from runs.context import RunContext


@dataclass(frozen=True, slots=True)
class OtherMachine:
    """One of several machines, beside the first.

    Attributes:
        number: Which one, from 2.
        machine: Where it is.
        phase: What its own job does (`waiting`, `running`, `done`, `failed`, `stopped`); empty when it said nothing.
        problem: What went wrong there last; empty for nothing.
        silence: Why it said nothing; empty when it did.
    """

    number: int
    machine: Rented
    phase: str = ""
    problem: str = ""
    silence: str = ""


def look_at_others(context: RunContext, connect_seconds: float) -> tuple[OtherMachine, ...]:
    """Ask each that the run still needs and that is set up; none for a run on one machine.

    Args:
        context: The run.
        connect_seconds: How long one may take to answer.
    """
    found = [(one, one.get(Rented)) for one in machines_of(context)[1:] if one.get(Prepared) is not None]
    return tuple(_look(one, rented, connect_seconds) for one, rented in found if rented is not None)


def _look(one: RunContext, rented: Rented, connect_seconds: float) -> OtherMachine:
    number = one.node + 1
    try:
        session = one.session(deadline_seconds=connect_seconds)
        status = look_at(one, session)
    except RemoteError as error:
        one.hang_up()
        return OtherMachine(number, rented, silence=masker_for(one.spec.secrets).text(str(error)))
    return OtherMachine(number, rented, status.phase, status.problem.message if status.problem else "")
