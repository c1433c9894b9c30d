"""What a run will take before anything is spent: pure arithmetic from the run file and the local files it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.plan import Plan
    from runs.spec.load import LoadedRunFile


def make_plan(loaded: LoadedRunFile) -> Plan:
    """Plan a run; see `runs.plan.make.make_plan`."""
    from runs.plan.make import make_plan as make

    return make(loaded)
