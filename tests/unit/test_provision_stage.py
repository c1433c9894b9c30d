"""What `resume` believes of a machine, and of the key that it was rented with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.types import Machine, PowerState
from runs.context import RunContext
from runs.facts import Rented, Trust
from runs.journal import Journal
from runs.placing.request import one_time_key
from runs.spec.load import load_run_text
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, Silent
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "name: tiny\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: hf://datasets/a/b/c.json}\n"


class OneMachineCloud:
    """A cloud that shows one machine."""

    def __init__(self, machine: Machine | None) -> None:
        self._machine = machine

    def find_machine(self, _: str, *, node: int = 0) -> Machine | None:  # noqa: ARG002 - the protocol's
        """The machine."""
        return self._machine

    def caller_address(self) -> str:
        """Where we are."""
        return "127.0.0.1/32"


def a_context(tmp_path: Path, machine: Machine | None = None) -> RunContext:
    """A run that rented a machine at 127.0.0.1, port 2222."""
    state = StateFolder(tmp_path / "state")
    journal = Journal(state.journal)
    row = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, str(tmp_path / "run.yaml"), TEXT, "0" * 64, RunState.ACTIVE)
    journal.add_run(row)
    journal.put(row.run_id, Rented("/vm", "127.0.0.1", 2222, "llama", "eastus", None))
    journal.put(row.run_id, decided())
    cloud: Any = OneMachineCloud(machine)
    return RunContext(row, load_run_text(TEXT, tmp_path / "run.yaml"), journal, state, Silent(), cloud)


def test_a_one_time_key_is_never_half_of_one(tmp_path: Path) -> None:
    """Killed between the end of its public half and that of its private one, both are made anew, and then kept."""
    context = a_context(tmp_path)
    first = one_time_key(context)
    assert one_time_key(context) == first

    context.journal.put(context.run_id, replace(context.require(Trust), one_time="", own="ssh-ed25519 own"))
    private, public = one_time_key(context)
    assert public.startswith("ssh-ed25519 ")
    assert private != first[0]
    assert context.require(Trust) == Trust(one_time=public, own="ssh-ed25519 own")


@pytest.mark.parametrize(
    ("port", "power", "done"),
    [
        (2222, PowerState.RUNNING, True),
        (2223, PowerState.RUNNING, False),
        (2222, PowerState.DEALLOCATED, False),
        (None, PowerState.RUNNING, False),
    ],
    ids=["as it was", "another port", "deallocated", "gone"],
)
def test_a_machine_is_believed_only_where_it_was(
    tmp_path: Path, port: int | None, power: PowerState, *, done: bool
) -> None:
    """A local machine that was started again has another port on some systems."""
    machine = None if port is None else Machine("/vm", "127.0.0.1", port, "llama", "eastus", None, power)
    assert Provision().is_done(a_context(tmp_path, machine)) is done
