"""Drives a run until it is told to act, then says what became of its intent; its starter suspends it meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path

from runs.errors import RunBusyError
from runs.journal import Journal
from runs.journal.lease import lease
from runs.types import EffectMoment

if __name__ == "__main__":
    journal, run_id = Journal(Path(sys.argv[1])), sys.argv[2]
    with lease(journal, run_id):
        sys.stdout.write("driving\n")
        sys.stdout.flush()
        sys.stdin.readline()
        try:
            journal.note_effect(
                run_id, EffectMoment.CREATE_INTENDED, kind="disk", name="d", resource_id="/disks/of-the-suspended"
            )
        except RunBusyError as error:
            sys.stdout.write(f"stopped: {error}\n")
        else:
            sys.stdout.write("acted\n")
