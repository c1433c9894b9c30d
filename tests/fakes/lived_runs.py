"""A run as if it had been lived: entered through the journal's own methods, with what came home beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.types import Placement
from runs.facts import Collected, Estimate, Prepared, Submitted, Trained
from runs.journal import Journal
from runs.journal.attempts import AttemptLog, Outcome
from runs.journal.charges import Component, Rate, begin_charges, end_charges
from runs.run import Run
from runs.state_folder import StateFolder
from runs.types import EffectMoment, EventKind, RunRow, RunState, StageName, StageState
from tests.fakes.decisions import decided
from tests.fakes.seen_runs import HOUR, NOW, write_metrics

if TYPE_CHECKING:
    from pathlib import Path

RUN_ID = "tiny-abc123"
RUN_FILE = """name: tiny
cloud: rehearsal
model: {from: ./model}
data: {from: ./data.json}
secrets: [WANDB_API_KEY]
"""
LOG = (
    b"phase: loading\nnote: 1 token added to the vocabulary: [PAD]\nphase: training\n"
    b"Map:  10%|#         |\rMap: 100%|##########|\n"
    b"{'loss': '1.98', 'grad_norm': '1.1'}\n\x1b[31mred\x1b[0m \x1b]0;owned\x07words\nphase: saving_final\n"
)
_PLACES = (("eastus", Outcome.CAPACITY, "ZonalAllocationFailed"), ("westus3", Outcome.RENTED, ""))
_SUMMARIES = {
    StageName.PROVISION: "Standard_D2s_v5 in westus3 at 127.1.2.3",
    StageName.BOOTSTRAP: "agent answers, environment complete",
    StageName.SYNC: "2.2 MB sent and verified",
    StageName.TRAIN: "1288 steps, loss 0.810, model loaded back and asked",
    StageName.COLLECT: "12 files, 13.5 GB, verified, in /home/ada/model",
    StageName.TEARDOWN: "2 resources confirmed gone, nothing to pay (rehearsal)",
}


def lived_run(root: Path, *, ended: bool = True, lost_steps: int = 12) -> Run:
    """The run: trained, interrupted once, at home unless it has not `ended`."""
    state = StateFolder(root)
    journal = Journal(state.journal)
    row = RunRow(
        RUN_ID, "tiny", "rehearsal", NOW - 8 * HOUR, str(root / "run.yaml"), RUN_FILE, "0" * 64, RunState.ACTIVE
    )
    journal.add_run(row)
    journal.put(RUN_ID, Estimate(dollars=0.5, hours=9.0))
    journal.put(RUN_ID, decided(region="westus3", spot=True))
    _search(journal)
    _own(journal, ended=ended)
    for name, summary in _SUMMARIES.items():
        if ended or name is not StageName.TEARDOWN:
            journal.stage_started(RUN_ID, name)
            journal.stage_ended(RUN_ID, name, StageState.DONE, summary)
    journal.event(RUN_ID, "connection lost, reconnecting", EventKind.CONNECTION_LOST)
    journal.put(RUN_ID, Submitted(at=NOW - 7 * HOUR))
    journal.put(RUN_ID, Trained(steps=1288, loss=0.81, seconds=7 * HOUR))
    journal.put(RUN_ID, Collected("/home/ada/model", 12, 13_500_000_000, "ab" * 32))
    if ended:
        journal.set_run_state(RUN_ID, RunState.ENDED)
    else:
        journal.put(RUN_ID, Prepared("/workspace", "python3"))
    run = Run.open(RUN_ID, state=state)
    write_metrics(run.folder / "metrics.jsonl", lost=lost_steps)
    (run.folder / "train.log").write_bytes(LOG)
    return run


def _search(journal: Journal) -> None:
    log = AttemptLog(journal, RUN_ID)
    for region, outcome, code in _PLACES:
        log.end(log.begin(Placement(region, None, "Standard_D2s_v5", spot=True)), outcome, code=code)


def _own(journal: Journal, *, ended: bool) -> None:
    rates = {
        "virtual machine": Rate(Component.MACHINE, "Standard_D2s_v5", 0.096, "list prices"),
        "disk": Rate(Component.WORKSPACE_DISK, "8 GiB", 0.0014, "list prices"),
    }
    for kind, rate in rates.items():
        resource = f"/{kind}"
        for moment in (EffectMoment.CREATE_INTENDED, EffectMoment.CREATED):
            journal.note_effect(RUN_ID, moment, kind=kind, name=f"{RUN_ID}-{kind[:2]}", resource_id=resource)
        with journal.transaction() as db:
            begin_charges(db, RUN_ID, resource, [rate], NOW - 8 * HOUR)
            if ended:
                end_charges(db, RUN_ID, resource, NOW)
        if ended:
            journal.note_effect(RUN_ID, EffectMoment.GONE, kind=kind, name=f"{RUN_ID}-{kind[:2]}", resource_id=resource)
