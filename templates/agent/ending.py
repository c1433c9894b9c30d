"""Ending compute: the machine deallocates itself, or at least powers off. The workspace disk stays."""

from __future__ import annotations

import os
import subprocess
import urllib.error
from typing import TYPE_CHECKING

from templates.agent.imds import NoArmError, Trouble, deallocate

if TYPE_CHECKING:
    from collections.abc import Callable

    from templates.agent.imds import Imds


def end_compute(imds: Imds | None, *, owns_machine: bool, say: Callable[[str], None]) -> bool:
    """Stop paying for this machine; False when it should be tried again in a while.

    Args:
        imds: Where to ask for the machine's identity, or None on a local machine.
        owns_machine: Only then may it be powered off: a rehearsal runs on the user's own computer.
        say: Takes one line per thing done or refused.
    """
    if imds is not None:
        try:
            say(f"asked Azure to deallocate this machine: {deallocate(imds)}")
        except (*Trouble, NoArmError) as error:
            say(f"cannot deallocate this machine: {error}")
            if _passes(error):
                return False
        else:
            return True
    if owns_machine:
        return _power_off(say)
    say("no machine to end here: the job's own work is ended, and that is all")
    return True


def _passes(error: Exception) -> bool:
    """Throttling and outages pass; a missing identity or right does not."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, OSError)


def _power_off(say: Callable[[str], None]) -> bool:
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run([*prefix, "shutdown", "-h", "now"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        say("powering off; Azure bills a machine that is off but not deallocated: `llamalift down` ends that")
    else:
        say(f"cannot power off: {done.stderr.strip() or done.returncode}")
    return done.returncode == 0
