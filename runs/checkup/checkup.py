"""The whole check-up."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from runs.checkup.account import check_account
from runs.checkup.computer import check_computer
from runs.checkup.finding import Area, Checkup, Finding, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.types import Progress
    from runs.spec.machine import Machine
    from runs.state_folder import StateFolder

SCHEMA = 1


def check_up(
    state: StateFolder,
    progress: Progress,
    *,
    cloud: str | None,
    is_needed: bool,
    machine: Machine | None = None,
    subscription_id: str | None = None,
) -> Checkup:
    """Look at this computer, and ask the account unless `cloud` is None.

    Args:
        state: Where the rehearsal cloud is.
        progress: Is told what is asked.
        cloud: Whose account to ask.
        is_needed: Without the account nothing works; otherwise what is wrong with it is a warning.
        machine: What is to be rented; None is what a run file without a word of it means.
        subscription_id: Which of the account's subscriptions; None is the one in use.
    """
    findings = [*check_computer()]
    if cloud is not None:
        asked = _account(state, progress, cloud, machine, subscription_id)
        findings += asked if is_needed else [_softened(one) for one in asked]
    every = tuple(findings)
    return Checkup(SCHEMA, version("llamalift"), cloud, worst(every), every)


def _account(
    state: StateFolder, progress: Progress, cloud: str, machine: Machine | None, subscription_id: str | None
) -> Sequence[Finding]:
    from provisioning.clouds import open_cloud
    from runs.spec.machine import Machine as Defaults

    try:
        opened = open_cloud(cloud, subscription_id=subscription_id, state_folder=state.root)
    except ProvisioningError as error:
        return [Finding(Area.ACCOUNT, cloud, Verdict.FAIL, error.fact, error.hint)]
    try:
        return list(check_account(opened, machine or Defaults(), progress))
    finally:
        opened.close()


def _softened(finding: Finding) -> Finding:
    return replace(finding, verdict=Verdict.WARN) if finding.verdict is Verdict.FAIL else finding
