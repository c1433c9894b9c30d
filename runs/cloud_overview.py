"""What the cloud says of every run of this computer: one question for each subscription, however many runs it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.clouds import open_cloud
from provisioning.types import PowerState
from runs.journal import Journal

if TYPE_CHECKING:
    from runs.state_folder import StateFolder

GONE = "gone"
NO_MACHINE = "no machine"


def cloud_overview(state: StateFolder) -> dict[str, str]:
    """By run id: its machine's power state, `no machine` where only other things are left, `gone` where nothing is.

    Runs that have ended, or for which nothing was ever asked of a cloud, are not in it. The answer is as old as Azure
    Resource Graph is: seconds, seldom minutes.

    Raises:
        ProvisioningError: A cloud cannot be asked.
    """
    if not state.journal.exists():
        return {}
    by_account: dict[tuple[str, str], list[str]] = {}
    for run_id, cloud, subscription_id in Journal(state.journal).accounts():
        by_account.setdefault((cloud, subscription_id), []).append(run_id)
    return {
        run_id: word
        for (cloud, subscription_id), run_ids in by_account.items()
        for run_id, word in _ask(state, cloud, subscription_id, run_ids).items()
    }


def _ask(state: StateFolder, cloud: str, subscription_id: str, run_ids: list[str]) -> dict[str, str]:
    opened = open_cloud(cloud, subscription_id=subscription_id, state_folder=state.root)
    try:
        powers = {run.run_id: run.power for run in opened.owned(confirm=False)}
    finally:
        opened.close()
    return {run_id: _word(powers.get(run_id)) for run_id in run_ids}


def _word(power: PowerState | None) -> str:
    if power is None:
        return GONE
    return NO_MACHINE if power is PowerState.ABSENT else str(power)
