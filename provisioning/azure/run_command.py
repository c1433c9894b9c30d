"""Run Command: a script that the control plane runs on the machine as root, when nobody may sign in there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioning.azure.naming import namespace_of
from provisioning.azure.operations import Operations
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from azure.mgmt.compute.models import InstanceViewStatus

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.types import Progress

# Half a minute as a rule, 81 s at most in recorded traffic; a machine under full load answers later.
_SECONDS = 10 * 60.0
# The Linux agent's message holds both streams; the one for Windows has an entry for each.
_LINUX = re.compile(r"\[stdout\]\n(?P<stdout>.*)\n\[stderr\]\n", re.DOTALL)
_STDOUT_CODE = "componentstatus/stdout/"


def run_script(clients: Clients, names: Names, script: str, progress: Progress) -> str:
    """Run `script` on the run's machine, which must be running; gives the last 4,096 bytes of its standard output.

    A script that fails is no error here: Azure says "succeeded" whenever it has ended.

    Raises:
        ProvisioningError: The cloud refuses, or the script did not end within ten minutes.
    """
    from azure.mgmt.compute.models import RunCommandInput

    machines = clients.compute.virtual_machines
    wanted = RunCommandInput(command_id="RunShellScript", script=script.splitlines())
    progress(f"asking {names.machine} through the control plane (half a minute)")
    result = Operations(clients).run(
        f"run a script on {names.machine}",
        namespace_of(names.id_of(ResourceKind.VIRTUAL_MACHINE, names.machine)),
        lambda wait: wait(machines.begin_run_command(names.group, names.machine, wanted)),
        limit_seconds=_SECONDS,
    )
    return standard_output(result.value or [])


def standard_output(statuses: list[InstanceViewStatus]) -> str:
    """What the script printed, from either form in which Azure tells it; empty when there is none."""
    for status in statuses:
        message = status.message or ""
        if (status.code or "").lower().startswith(_STDOUT_CODE):
            return message
        if found := _LINUX.search(message):
            return found["stdout"]
    return ""
