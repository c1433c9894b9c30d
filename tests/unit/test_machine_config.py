"""What the cloud and the agent are told about a run."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runs.machine_config import agent_config, backstop, tags, without_extras
from runs.spec.load import load_run_text
from runs.types import EffectRow, RunRow, RunState
from tests.fakes.decisions import decided

NOW = 1_800_000_000.0
HOUR = 3600.0
LOADED = load_run_text(Path("templates/recipes/wizardlm-7b.yaml").read_text(), Path("wizardlm-7b.yaml"))
ROW = RunRow(
    run_id="wizardlm-7b-abc234", name="wizardlm-7b", cloud="azure", created_at=NOW - 72 * HOUR,
    run_file="wizardlm-7b.yaml", spec_text="", spec_sha256="0" * 64, state=RunState.ACTIVE,
)  # fmt: skip
DECIDED = decided(
    workspace_gib=1024, dollars_per_hour=15.0, dollars_cap=300.0, deadline_at=NOW + 20 * HOUR, save_seconds=470.0
)


def test_the_meter_starts_with_the_machine_and_not_with_the_run() -> None:
    """A run that waited three days for quota has spent nothing: else its dollar cap fires in its first second."""
    config = agent_config(ROW, LOADED.spec, DECIDED, now=NOW)
    assert config["machine_started_at"] == NOW
    assert config["created_at"] == ROW.created_at


def test_the_backstop_leaves_the_agent_its_last_checkpoint() -> None:
    """Azure's schedule comes an hour after the deadline, when the agent should long have ended compute itself."""
    assert backstop(NOW + 20 * HOUR, NOW) == datetime.fromtimestamp(NOW, UTC) + timedelta(hours=21)


@pytest.mark.parametrize("hours", [23.5, 24.0])
def test_the_backstop_never_comes_a_day_early(hours: float) -> None:
    """It is daily: a time of day that is more than 24 h away would come today, right after the machine was rented."""
    at = backstop(NOW + hours * HOUR, NOW)
    assert at is not None
    assert timedelta(hours=23) < at - datetime.fromtimestamp(NOW, UTC) < timedelta(hours=24)


def test_no_backstop_for_longer_runs() -> None:
    """A daily schedule would end them in the middle."""
    assert backstop(NOW + 25 * HOUR, NOW) is None


def test_no_backstop_in_the_past() -> None:
    """A run that goes on after its deadline is not deallocated at that time of the next day."""
    assert backstop(NOW - 2 * HOUR, NOW) is None


def test_tags_are_what_azure_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of at most 512 and values of at most 256 characters, also where this computer knows no user name."""

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    made = tags(ROW, LOADED.spec, DECIDED)
    assert made["llamalift-owner"].startswith("uid ")
    assert all(len(name) <= 512 and 0 < len(value) <= 256 for name, value in made.items())


def test_an_extra_that_was_refused_is_told_with_what_it_costs() -> None:
    """Without the right to deallocate itself, a machine at its limit powers off, and that is billed."""
    made = EffectRow("virtual machine", "vm", "/vm", NOW, NOW, None, None)
    refused = EffectRow("role assignment", "ra", "/ra", NOW, None, None, None)
    assert without_extras([made]) == []
    assert len(without_extras([made, refused])) == 1
    assert "goes on billing" in without_extras([made, refused])[0]
