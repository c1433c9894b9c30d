"""`llamalift ls --cloud`: one question, and each run of this computer as the cloud has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cli.app import app
from provisioning.rehearsal.service import logged_requests
from runs.cloud_overview import cloud_overview
from runs.facts import Decided
from runs.journal import Journal
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState
from tests.fakes.decisions import decided
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import RUN_ID, silent

if TYPE_CHECKING:
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest


def test_each_run_is_told_as_the_cloud_has_it(
    cloud: RehearsalCloud,
    emulator: EmulatorHandle,
    request_: MachineRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A running machine, a run of which nothing is there, one that ended and one that never began: in two calls."""
    state = StateFolder(emulator.state_folder.parent)
    journal = Journal(state.journal)
    for run_id, whole in (("gone-aaaaaa", RunState.ACTIVE), ("old-bbbbbb", RunState.ENDED), (RUN_ID, RunState.ACTIVE)):
        journal.add_run(RunRow(run_id, run_id[:-7], "rehearsal", 1.7e9, "run.yaml", "", "0", whole))
        journal.put(run_id, decided(subscription_id=cloud.account().subscription_id))
    journal.add_run(RunRow("new-cccccc", "new", "rehearsal", 1.7e9, "run.yaml", "", "0", RunState.ACTIVE))
    assert journal.get(RUN_ID, Decided) is not None
    cloud.provision(request_, MemoryLedger(), silent)
    last = max(one.number for one in logged_requests(emulator))
    assert cloud_overview(state) == {"gone-aaaaaa": "gone", RUN_ID: "running"}
    calls = [one for one in logged_requests(emulator, last) if not one.path.startswith(f"/{emulator.tenant_id}/")]
    assert [one.method for one in calls] == ["GET", "POST"]

    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(state.root))
    with pytest.raises(SystemExit):
        app(["ls", "--cloud", "--json"])
    said = {line["run_id"]: line["in_cloud"] for line in json.loads(capsys.readouterr().out)}
    assert said == {"gone-aaaaaa": "gone", RUN_ID: "running", "old-bbbbbb": "", "new-cccccc": ""}
    with pytest.raises(SystemExit):
        app(["ls", "--cloud"])
    assert "IN CLOUD" in capsys.readouterr().out
