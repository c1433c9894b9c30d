"""The life of a run as a list of stages, run in order."""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from remote.errors import RemoteError
from runs.errors import RunBusyError, RunError
from runs.going_on import goes_on
from runs.masking import mask_error
from runs.secrets import masker_for
from runs.types import StageName, StageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.context import RunContext
    from runs.stages.base import Stage


_PLACEHOLDER = re.compile(r"\bRUN(\.yaml)?\b")
OUR_ERRORS = (RunError, ProvisioningError, RemoteError)


def run_stages(context: RunContext, stages: Sequence[Stage]) -> None:
    """Run each stage that is not done yet; the first failure ends it and is recorded.

    Where the stages can rent a machine, one that the cloud takes away ends nothing: they begin again, with its disk.

    Raises:
        RunError, ProvisioningError, RemoteError: What stopped it.
    """
    can_rent = any(stage.name is StageName.PROVISION for stage in stages)
    ended = False
    while not ended:
        ended = all(stage.is_done(context) or _run(context, stage, can_rent=can_rent) for stage in stages)


def _named(hint: str, run_id: str, run_file: str) -> str:
    """A hint that can be typed as it is: `RUN` is the run, `RUN.yaml` its file."""
    return _PLACEHOLDER.sub(lambda found: shlex.quote(run_file) if found[1] else run_id, hint)


def _run(context: RunContext, stage: Stage, *, can_rent: bool) -> bool:
    """Run one stage; False when it has lost its machine and the run goes on without the user."""
    journal, run_id, reporter = context.journal, context.run_id, context.reporter
    journal.stage_started(run_id, stage.name)
    reporter.started(stage.name, stage.title)
    began = time.monotonic()
    try:
        summary = stage.act(context)
    except RunBusyError:
        # The stage is another client's now; its row, too.
        raise
    except OUR_ERRORS as error:
        if can_rent and isinstance(error, RemoteError) and goes_on(context):
            return False
        mask_error(masker_for(context.spec.secrets), error)
        journal.stage_ended(run_id, stage.name, StageState.FAILED, str(error))
        journal.event(run_id, f"{stage.name} failed: {error}")
        reporter.failed(stage.name, str(error), seconds=time.monotonic() - began)
        # The layers below do not know what the run is called.
        error.hint = _named(error.hint, run_id, context.row.run_file)
        raise
    journal.stage_ended(run_id, stage.name, StageState.DONE, summary)
    reporter.done(stage.name, summary, seconds=time.monotonic() - began)
    return True
