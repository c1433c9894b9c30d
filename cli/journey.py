"""A run's journey on the screen: the stages, then the receipt; and what an interruption leaves behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cli.boundary import EXIT_INTERRUPTED
from cli.console import talk
from cli.receipt import print_receipt
from cli.reporting import reporter

if TYPE_CHECKING:
    from runs.run import Run


def drive(run: Run, *, keep: bool) -> None:
    """Drive a run to its end; Ctrl-C leaves it alone and says how to come back."""
    console = talk()
    console.print(f"run [bold]{run.run_id}[/] on {run.row.cloud}")
    try:
        with reporter(console) as report:
            receipt = run.up(report, keep=keep)
    except KeyboardInterrupt:
        _explain_interruption(run)
        sys.exit(EXIT_INTERRUPTED)
    _conclude(run)
    if keep:
        console.print(f"the machine is still up; delete it with `llamalift down {run.run_id}`", markup=False)
        return
    print_receipt(receipt)


def _conclude(run: Run) -> None:
    from runs.facts import Collected

    collected = run.journal.get(run.run_id, Collected)
    if collected is not None:
        talk().print(f"\nmodel   {collected.target}", markup=False)


def _explain_interruption(run: Run) -> None:
    """Say what goes on running, what it costs, and how to come back."""
    from runs.facts import Decided, Rented, Submitted

    console, journal = talk(), run.journal
    decided, hour = journal.get(run.run_id, Decided), ""
    if decided is not None and decided.dollars_per_hour:
        hour = f" at ${decided.dollars_per_hour:.2f} an hour"
    if not journal.effects(run.run_id):
        state = "nothing was rented yet"
    elif journal.get(run.run_id, Submitted) is not None:
        state = f"the job goes on by itself on the machine{hour}; its own limits end it"
    elif journal.get(run.run_id, Rented) is not None:
        state = f"the machine stays up{hour} until its idle limit"
    else:
        state = "what was being created in the cloud may still appear"
    console.print(f"\ninterrupted: {state}", markup=False)
    console.print(f"  come back    llamalift resume {run.run_id}", markup=False)
    console.print(f"  look at it   llamalift status {run.run_id}", markup=False)
    console.print(f"  end it       llamalift down --discard {run.run_id}", markup=False)
