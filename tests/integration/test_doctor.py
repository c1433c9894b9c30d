"""`llamalift doctor` says of this computer and of the account what is right, what is not, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from cli.answers.schema import answer_schema
from provisioning.clouds import clock_skew_seconds
from provisioning.rehearsal.service import change_settings, script_faults
from runs.checkup.account import check_account
from runs.checkup.finding import Finding, Verdict
from runs.spec.machine import Machine
from tests.fakes.rehearsed import silent
from tests.fakes.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle

MACHINE = Machine(size="Standard_D2s_v5", regions=("eastus", "westus3"))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal with a state folder and a config file of its own."""
    made = Terminal(tmp_path / "state", {"LLAMALIFT_CONFIG": str(tmp_path / "config.yaml")})
    yield made
    made.close()
    assert made.processes() == []


def of(cloud: RehearsalCloud, subject: str) -> list[Finding]:
    """What is found about one subject."""
    return [one for one in check_account(cloud, MACHINE, silent) if one.subject == subject]


def test_a_sound_account_is_ok(cloud: RehearsalCloud) -> None:
    """Signed in, the clock right, rights, and room for the machine in each region; nothing is created."""
    found = {(one.subject, one.verdict) for one in check_account(cloud, MACHINE, silent)}
    assert {(subject, Verdict.OK) for subject in ("clock", "sign-in", "rights", "end itself", "quota")} <= found
    assert Verdict.FAIL not in {verdict for _, verdict in found}
    assert len(of(cloud, "quota")) == 2


def test_missing_rights_are_told_apart(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """A Reader can create nothing; a Contributor can, but its machines cannot end their own bill."""
    change_settings(emulator, caller_role="Reader")
    assert of(cloud, "rights")[0].verdict is Verdict.FAIL
    change_settings(emulator, caller_role="Contributor")
    assert of(cloud, "rights")[0].verdict is Verdict.OK
    assert of(cloud, "end itself")[0].verdict is Verdict.WARN
    change_settings(emulator, caller_role="Owner")


def test_a_sign_in_that_is_over_is_told_with_what_to_do(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """It is a finding like any other, not an error."""
    script_faults(emulator, {"method": "*", "path": "/subscriptions", "trouble": "expired-sign-in", "count": 0})
    (finding,) = of(cloud, "sign-in")
    assert finding.verdict is Verdict.FAIL
    assert finding.hint


def test_the_clock_is_the_clouds(cloud: RehearsalCloud) -> None:
    """The rehearsal cloud has this computer's clock."""
    skew = clock_skew_seconds(cloud)
    assert skew is not None
    assert abs(skew) < 3


def test_the_whole_check_up_as_a_script_reads_it(terminal: Terminal) -> None:
    """JSON of its schema; a rehearsal account is right, so the exit code is 0, and no cloud is left behind."""
    found = terminal.json("doctor", "--cloud", "rehearsal")
    Draft202012Validator(answer_schema("doctor")).validate(found)
    assert found["cloud"] == "rehearsal"
    assert found["verdict"] in {"ok", "warn"}
    assert {"python", "packages", "state", "disk", "ssh", "keyring", "notify", "rehearsal", "quota"} <= {
        one["subject"] for one in found["findings"]
    }


def test_offline_it_looks_at_the_computer_only(terminal: Terminal, tmp_path: Path) -> None:
    """What is wrong here is exit code 2; nobody is asked, and every line fits on a narrow terminal or goes on."""
    (tmp_path / "config.yaml").write_text("notify: {desktop: perhaps}\n")
    done = terminal.run("doctor", "--offline", expect=2)
    assert "fail notify" in done.stdout
    assert "account" not in done.stdout
    assert "\x1b" not in done.stdout


def test_the_journal_that_cannot_be_read_is_found(terminal: Terminal) -> None:
    """The one file that everything hangs on."""
    terminal.state.mkdir()
    (terminal.state / "journal.sqlite").write_text("not a journal")
    assert "fail state" in terminal.run("doctor", "--offline", expect=2).stdout
