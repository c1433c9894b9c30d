"""A run's journey on the screen: the stages, then the receipt; and what an interruption leaves behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cli.boundary import EXIT_INTERRUPTED, exit_code
from cli.console import talk
from cli.event_stream import Both
from cli.failure import asker
from cli.receipt import print_receipt
from cli.reporting import reporter
from runs.types import RunState

if TYPE_CHECKING:
    from cli.event_stream import EventStream
    from runs.run import Run


def moment(text: str | None) -> float | None:
    """The time that `--retry-until` names, in seconds since the epoch.

    Raises:
        SpecError: It names none; nothing was begun.
    """
    import time

    from runs.placing.until import parse_until

    return None if text is None else parse_until(text, time.time())


def drive(
    run: Run,
    *,
    keep: bool,
    on_failure: str = "",
    retry_until: float | None = None,
    move: str = "",
    events: EventStream | None = None,
) -> None:
    """Drive a run to its end; Ctrl-C leaves it alone and says how to come back. `events` is told everything, too."""
    console = talk()
    console.print(f"run [bold]{run.run_id}[/] on {run.row.cloud}")
    if events is not None:
        events.begins(run)
    try:
        with reporter(console) as screen:
            report, ask = screen if events is None else Both(screen, events), asker(screen)
            receipt = run.up(report, keep=keep, on_failure=on_failure, ask=ask, retry_until=retry_until, move=move)
    except KeyboardInterrupt:
        explain_interruption(run)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        # A bug must not hide what goes on costing money.
        if exit_code(error) is None:
            explain_interruption(run)
        raise
    _conclude(run)
    if keep and run.journal.run(run.run_id).state is RunState.ACTIVE:
        console.print(f"the machine is still up; delete it with `llamalift down {run.run_id}`", markup=False)
        return
    print_receipt(receipt)


def _conclude(run: Run) -> None:
    from runs.facts import Collected

    collected = run.journal.get(run.run_id, Collected)
    if collected is not None:
        talk().print(f"\nmodel   {collected.target}", markup=False)
        talk().print(f"report  llamalift report {run.run_id}", markup=False)
    elif run.journal.run(run.run_id).state is RunState.ENDED:
        again = f"llamalift up {run.row.run_file}"
        talk().print(f"\nthis run has ended without a model; begin anew with `{again}`", markup=False)


def explain_interruption(run: Run) -> None:
    """Say what goes on running, what it costs, and how to come back."""
    from runs.facts import Collected, Submitted

    console, journal = talk(), run.journal
    safe = journal.get(run.run_id, Submitted) is None or journal.get(run.run_id, Collected) is not None
    console.print(f"\ninterrupted: {what_goes_on(run)}", markup=False)
    console.print(f"  come back    llamalift resume {run.run_id}", markup=False)
    console.print(f"  look at it   llamalift status {run.run_id}", markup=False)
    console.print(f"  end it       llamalift down {'' if safe else '--discard '}{run.run_id}", markup=False)


def what_goes_on(run: Run) -> str:
    """What the run does, and costs, while no client drives it: the furthest that the journal knows."""
    from cli.words import clock
    from runs.facts import Collected, Decided, Leaving, Rented, Searching, Submitted, Trained

    journal, run_id = run.journal, run.run_id
    decided, hour = journal.get(run_id, Decided), ""
    if decided is not None and decided.dollars_per_hour:
        hour = f" at ${decided.dollars_per_hour:.2f} an hour"
    if not journal.effects(run_id):
        return "nothing was rented yet"
    known = (
        (Leaving, "its deletion has begun; what is not gone yet may still cost money"),
        (Collected, f"the model is home; the machine stays up{hour} until its idle limit"),
        (Trained, f"the model waits on the machine, which stays up{hour} until its idle limit"),
        (Submitted, f"the job goes on by itself on the machine{hour}; its own limits end it"),
        (Rented, f"the machine stays up{hour} until its idle limit"),
    )
    wish = journal.get(run_id, Searching)
    if (
        wish is not None
        and wish.until
        and wish.walk_after is None
        and not any(journal.get(run_id, k) for k, _ in known)
    ):
        return f"no machine is rented; `resume` goes on looking for one until {clock(wish.until)}"
    told = (words for kind, words in known if journal.get(run_id, kind) is not None)
    return next(told, "what was being created in the cloud may still appear")
