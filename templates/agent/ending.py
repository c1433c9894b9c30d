"""Ending compute: the machine deallocates itself, or at least powers off; the disk goes only when nothing needs it."""

from __future__ import annotations

import os
import subprocess
import urllib.error
from typing import TYPE_CHECKING

from templates.agent.imds import NoArmError, Trouble, deallocate, delete_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from templates.agent.imds import Imds


def end_compute(
    imds: Imds | None, *, owns_machine: bool, say: Callable[[str], None], with_group_of: str | None = None
) -> bool:
    """Stop paying for this machine; False when it should be tried again in a while.

    Args:
        imds: Where to ask for the machine's identity, or None on a local machine.
        owns_machine: Only then may it be powered off: a rehearsal runs on the user's own computer.
        say: Takes one line per thing done or refused.
        with_group_of: The run whose whole resource group goes: nothing in it is the only copy of anything. Where that
            is refused, the compute alone is ended.
    """
    if imds is not None and with_group_of is not None and _delete_everything(imds, with_group_of, say):
        return True
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


def _delete_everything(imds: Imds, run_id: str, say: Callable[[str], None]) -> bool:
    try:
        say(f"asked Azure to delete everything of this run: {delete_group(imds, run_id)}")
    except (*Trouble, NoArmError) as error:
        say(f"cannot delete everything of this run: {error}")
        return False
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
