"""Rent the machine: decide once, write it down, then let the cloud make what is missing."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.errors import TransientError
from provisioning.types import ImageReference, MachineRequest, PowerState, ResourceKind
from runs.driver import DRIVER_TAG, driver_here
from runs.facts import Decided, Prepared, Rented, Trust
from runs.ledger import RunLedger
from runs.machine_config import agent_config, backstop, tags, without_extras
from runs.private_files import write_private
from runs.types import StageName
from templates.cloud_init import CloudInitValues, render_cloud_init
from templates.zipapps import agent_zipapp

if TYPE_CHECKING:
    from runs.context import RunContext


class Provision:
    """The cloud side of the run exists."""

    name = StageName.PROVISION
    title = "renting the machine"

    def is_done(self, context: RunContext) -> bool:
        """The machine that the journal knows is running, as the cloud sees it now, and lets this computer in."""
        rented, decided = context.get(Rented), context.get(Decided)
        if rented is None or decided is None or _caller_address(context, decided) != decided.caller_address:
            return False
        machine = context.cloud.find_machine(context.run_id)
        if machine is None or machine.power is not PowerState.RUNNING:
            return False
        return (machine.address, machine.ssh_port) == (rented.address, rented.ssh_port)

    def act(self, context: RunContext) -> str:
        """Provision, or finish an interrupted provisioning."""
        decided = context.get(Decided)
        decided = self._decide(context) if decided is None else self._brought_up_to_date(context, decided)
        request = self._request(context, decided)
        machine = context.cloud.provision(
            request,
            RunLedger(context.journal, context.run_id),
            lambda message: context.reporter.waiting(self.name, message),
        )
        context.journal.put(
            context.run_id,
            Rented(
                vm_id=machine.vm_id, address=machine.address, ssh_port=machine.ssh_port, username=machine.username,
                region=machine.region, zone=machine.zone,
            ),
        )  # fmt: skip
        if context.get(Prepared) is not None:
            self._await_agent(context)
        for note in without_extras(context.journal.effects(context.run_id)):
            context.reporter.note(note)
        place = machine.region + (f" zone {machine.zone}" if machine.zone else "")
        return f"{request.size} in {place} at {machine.address}"

    def _await_agent(self, context: RunContext) -> None:
        """A machine that was started again lets us in before its disk is mounted and its agent is up."""
        from remote.machine import wait_for_workspace, wait_until_booted

        def say(what: str) -> None:
            context.reporter.waiting(self.name, what)

        session = context.session(self.name, fresh=True)
        wait_for_workspace(session, context.spec.storage.mount, progress=say)
        wait_until_booted(session, context.layout(), progress=say)

    def _decide(self, context: RunContext) -> Decided:
        """Everything that needs a choice or the time of day, chosen once."""
        from runs.plan import make_plan
        from runs.plan.prices import SNAPSHOT_DATE

        spec, cloud = context.spec, context.cloud
        context.reporter.waiting(self.name, "the cloud account")
        account = cloud.account()
        plan = make_plan(context.loaded)
        region = spec.machine.regions[0]
        image = cloud.resolve_image(region, ImageReference(*spec.machine.image.split(":")))
        allowed = spec.machine.allow_from
        decided = Decided(
            subscription_id=account.subscription_id,
            region=region,
            zone=str(spec.machine.zones[0]) if spec.machine.zones else None,
            image=str(image),
            caller_address=cloud.caller_address() if allowed == "auto" else allowed,
            workspace_gib=plan.workspace_gib,
            size=spec.machine.size,
            spot=spec.machine.spot,
            machine_dollars_per_hour=plan.cost.machine_per_hour,
            disk_dollars_per_hour=plan.cost.disk_per_hour,
            address_dollars_per_hour=plan.cost.address_per_hour,
            price_basis=f"list prices of {SNAPSHOT_DATE}",
            dollars_per_hour=plan.dollars_per_hour if spec.cloud == "azure" else 0.0,
            dollars_cap=plan.dollars_cap,
            deadline_at=time.time() + plan.deadline_hours * 3600,
            save_seconds=plan.save_seconds,
        )
        context.journal.put(context.run_id, decided)
        return decided

    def _brought_up_to_date(self, context: RunContext, decided: Decided) -> Decided:
        """What may change although everything else was chosen once: our address, and the hours before any machine."""
        from runs.plan import make_plan

        now = replace(decided, caller_address=_caller_address(context, decided))
        kinds = {effect.kind for effect in context.journal.effects(context.run_id)}
        if ResourceKind.VIRTUAL_MACHINE not in kinds:
            # Days may have gone by: a machine rented now must not find its deadline over.
            now = replace(now, deadline_at=time.time() + make_plan(context.loaded).deadline_hours * 3600)
        context.journal.put(context.run_id, now)
        return now

    def _request(self, context: RunContext, decided: Decided) -> MachineRequest:
        """The same request every time, from what was decided and the keys in the run's folder."""
        from remote.keys import ensure_user_key

        spec = context.spec
        user_key = ensure_user_key(context.folder)
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
            custom_data=self._custom_data(context, decided, user_key.public_line),
            caller_address=decided.caller_address,
            tags=tags(context.row, spec, decided),
            shutdown_at=backstop(decided.deadline_at, time.time()),
            group_tags={DRIVER_TAG: driver_here(context.journal, context.run_id).to_tag()},
        )

    def _custom_data(self, context: RunContext, decided: Decided, ssh_public_key: str) -> bytes:
        """The machine's first minute: its user, its one-time host key, the agent and its limits."""
        private, public = self._one_time_key(context)
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

    def _one_time_key(self, context: RunContext) -> tuple[str, str]:
        """The host key of the first connection, made once; its private half waits in the run's folder until then."""
        from remote.keys import generate_host_key

        file = context.folder / "host_key_one_time"
        trust = context.get(Trust)
        # A kill may have come between the end of the public half and that of the private one.
        if trust is None or not trust.one_time or not file.exists():
            key = generate_host_key()
            write_private(file, key.private_pem)
            trust = Trust(one_time=key.public_line, own=trust.own if trust else "")
            context.journal.put(context.run_id, trust)
        return file.read_text(), trust.one_time


def _caller_address(context: RunContext, decided: Decided) -> str:
    """Who may knock now: a laptop moves between networks. As before, where its address cannot be found out."""
    if context.spec.machine.allow_from != "auto":
        return decided.caller_address
    try:
        return context.cloud.caller_address()
    except TransientError:
        return decided.caller_address
