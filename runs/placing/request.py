"""What the cloud is asked for: the same request every time, from what was decided and the keys in the run's folder."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from provisioning.types import ImageReference, MachineRequest
from runs.driver import DRIVER_TAG, driver_here
from runs.errors import SpecError
from runs.facts import Trust
from runs.machine_config import agent_config, backstop, tags
from runs.nodes import machines_of
from runs.private_files import write_private
from templates.cloud_init import CloudInitValues, render_cloud_init
from templates.zipapps import agent_zipapp

if TYPE_CHECKING:
    from runs.context import RunContext
    from runs.facts import Decided


def machine_request(context: RunContext, decided: Decided, *, keeps_disk: bool = False) -> MachineRequest:
    """The machine that was decided on, with everything around it; `keeps_disk` with the disk that is there."""
    from remote.keys import ensure_user_key

    spec = context.spec
    user_key = ensure_user_key(context.folder)
    first, *others = [_custom_data(one, decided, user_key.public_line) for one in machines_of(context)]
    return MachineRequest(
        run_id=context.run_id,
        region=decided.region,
        zone=decided.zone,
        size=decided.size,
        spot=decided.spot,
        max_price_usd_per_hour=spec.machine.max_price,
        image=ImageReference(*decided.image.split(":")),
        os_disk_gib=spec.machine.os_disk_gib,
        workspace_gib=decided.workspace_gib,
        workspace_disk_type=spec.storage.disk_type,
        admin_username=spec.machine.admin_username,
        ssh_public_key=user_key.public_line,
        custom_data=first,
        caller_address=decided.caller_address,
        tags=tags(context.row, spec, decided),
        shutdown_at=backstop(decided.deadline_at, time.time()),
        group_tags={DRIVER_TAG: driver_here(context.journal, context.run_id).to_tag()},
        keeps_disk=keeps_disk,
        others_custom_data=tuple(others),
    )


def _custom_data(context: RunContext, decided: Decided, ssh_public_key: str) -> bytes:
    """The machine's first minute: its user, its one-time host key, the agent and its limits."""
    if context.node and context.get(Trust) is None:
        _refuse_unknown(context)
    private, public = one_time_key(context)
    return render_cloud_init(
        CloudInitValues(
            username=context.spec.machine.admin_username,
            ssh_public_key=ssh_public_key,
            host_private_key=private,
            host_public_key=public,
            run_json=json.dumps(agent_config(context.row, context.spec, decided, now=time.time())),
            agent_zipapp=agent_zipapp(),
            run_file=context.loaded.text,
        )
    )


def _refuse_unknown(context: RunContext) -> None:
    """A further machine that stands, and whose host key is known elsewhere only: the run was adopted."""
    if context.cloud.find_machine(context.run_id, node=context.node) is not None:
        raise SpecError(
            f"of several machines an adopted run knows only the first one's host key, not that of: {context.node + 1}",
            hint=f"resume it on the computer where it was begun, or delete it with `llamalift down {context.run_id}`",
        )


def one_time_key(context: RunContext) -> tuple[str, str]:
    """The host key of the first connection, made once; its private half waits in the run's folder until then."""
    from remote.keys import generate_host_key

    file = context.one_time_key_file
    trust = context.get(Trust)
    # A kill may have come between the end of the public half and that of the private one.
    if trust is None or not trust.one_time or not file.exists():
        key = generate_host_key()
        write_private(file, key.private_pem)
        trust = Trust(one_time=key.public_line, own=trust.own if trust else "")
        context.journal.put(context.run_id, trust)
    return file.read_text(), trust.one_time
