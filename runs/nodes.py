"""The machines of one run: what concerns one machine has its facts apart, everything else is the run's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from runs.errors import RunError
from runs.facts import Prepared, Rented, Submitted, Synced, Trained, Trust
from runs.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.context import RunContext
    from runs.types import Reporter, StageName

_Result = TypeVar("_Result")
# Python heeds a signal between two of these.
_LOOK_SECONDS = 0.5
_OF_ONE_MACHINE = frozenset({Trust, Rented, Prepared, Synced, Submitted})


class NodeJournal(Journal):
    """The run's journal as seen from one of its further machines."""

    def __init__(self, journal: Journal, node: int) -> None:
        """See `journal` from machine `node`, counted from 0; the first one's facts have the plain names."""
        self.file, self.holders, self.fences = journal.file, journal.holders, journal.fences
        self._node = node
        self.plain = journal

    def _name(self, kind: type[object]) -> str:
        return f"{kind.__name__}@{self._node}" if kind in _OF_ONE_MACHINE else kind.__name__


class NodeReporter:
    """What is waited for on one of several machines, with its number; figures of progress are the first machine's."""

    def __init__(self, reporter: Reporter, node: int) -> None:
        """Tell `reporter`."""
        self._reporter = reporter
        self._prefix = f"machine {node + 1}: "

    def started(self, stage: StageName, title: str) -> None:
        """Nothing: the run's stage has begun."""

    def waiting(self, stage: StageName, what: str) -> None:
        """Hand it on."""
        self._reporter.waiting(stage, self._prefix + what)

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """Nothing: one line shows one figure."""

    def note(self, text: str) -> None:
        """Hand it on."""
        self._reporter.note(self._prefix + text)

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """Nothing: the run's stage ends when all are done."""

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """Nothing, as above."""


def first_rented(context: RunContext) -> Rented:
    """The first machine, as seen from any of them.

    Raises:
        JournalError: It was not rented.
    """
    journal = context.journal
    if isinstance(journal, NodeJournal) and (rented := journal.plain.get(context.run_id, Rented)):
        return rented
    return context.require(Rented)


def machine_of(context: RunContext, number: int) -> RunContext:
    """The run on one of its machines.

    Args:
        context: The run.
        number: Which machine, from 1.

    Raises:
        RunError: It has not so many.
    """
    if number == 1:
        return context
    found = next((one for one in context.others() if one.node == number - 1), None)
    if found is None:
        raise no_such_machine(context, number)
    return found


def no_such_machine(context: RunContext, number: int) -> RunError:
    """What to say of a machine that the run has not, or not yet."""
    nodes = context.spec.machine.nodes
    return RunError(f"the run has no such machine: {number}", hint=f"it has: {nodes} (machine.nodes)")


def machines_of(context: RunContext) -> list[RunContext]:
    """The run on each machine that it still needs, the first one first; when training is over, that is the only one.

    The others end themselves by their idle limit.
    """
    if context.spec.machine.nodes == 1 or context.get(Trained) is not None:
        return [context]
    return [context, *context.others()]


def on_each(context: RunContext, act: Callable[[RunContext], _Result]) -> _Result:
    """Do something on all machines side by side; gives the first one's result.

    An interruption does not wait for the other machines: whatever a stage does may be cut short.

    Raises:
        Exception: What went wrong on the first machine, else on the next one; all have come to their end.
    """
    others = [_Acting(one, act) for one in machines_of(context)[1:]]
    if not others:
        return act(context)
    failures: list[Exception] = []
    try:
        result = act(context)
    except Exception as error:  # noqa: BLE001 - raised below, when the others have come to their end
        failures.append(error)
    failures += [failure for one in others if (failure := one.ended()) is not None]
    if failures:
        raise failures[0]
    return result


class _Acting:
    """A machine's part, in a thread of its own."""

    def __init__(self, context: RunContext, act: Callable[[RunContext], object]) -> None:
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(context, act), name="machine", daemon=True)
        self._thread.start()

    def _run(self, context: RunContext, act: Callable[[RunContext], object]) -> None:
        try:
            act(context)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for it
            self._error = error

    def ended(self) -> Exception | None:
        """Wait for it; what went wrong, if anything did."""
        while self._thread.is_alive():
            self._thread.join(_LOOK_SECONDS)
        return self._error
