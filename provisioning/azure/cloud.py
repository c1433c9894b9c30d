"""The cloud as the rest of llamalift knows it: Azure, or anything that speaks like its Resource Manager."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.accounts import find_account
from provisioning.azure.admission import admit
from provisioning.azure.clients import Clients
from provisioning.azure.console import console_log
from provisioning.azure.deallocate import deallocate
from provisioning.azure.description import describe
from provisioning.azure.destroy import Destruction
from provisioning.azure.endpoint import SSH_PORT
from provisioning.azure.images import resolve_image
from provisioning.azure.inventory import Inventory, or_none
from provisioning.azure.marks import read_mark, write_mark
from provisioning.azure.move import Destination, Moving
from provisioning.azure.naming import Names, ref_of
from provisioning.azure.nodes import private_address, provision_all
from provisioning.azure.owned import OwnedSearch
from provisioning.azure.pipeline import sign_in
from provisioning.azure.power import look_at_power
from provisioning.azure.probe import probe
from provisioning.azure.public_address import public_address
from provisioning.azure.renew import renew
from provisioning.azure.run_command import run_script
from provisioning.azure.stack import Stack
from provisioning.azure.start import start
from provisioning.azure.survey.survey import take_survey
from provisioning.azure.vacate import Vacating
from provisioning.azure.workspaces import find_workspace
from provisioning.types import Machine, Place, PlannedResource, PowerState, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.adoption_types import RunInCloud
    from provisioning.azure.endpoint import ArmEndpoint
    from provisioning.azure.provision import Provisioned
    from provisioning.owned_types import OwnedRun
    from provisioning.survey_types import Survey, SurveyRequest
    from provisioning.types import (
        Account,
        DeletionProof,
        ImageReference,
        Ledger,
        MachinePower,
        MachineRequest,
        Placement,
        Progress,
        Renewal,
        ResourceRef,
        Workspace,
    )


class AzureCloud:
    """Implements `provisioning.types.Cloud` over one endpoint. Nothing is sent before the first question is asked."""

    def __init__(self, endpoint: ArmEndpoint) -> None:
        self._endpoint = endpoint
        self._account: Account | None = None
        self._clients: Clients | None = None

    @property
    def name(self) -> str:
        """`azure` or `rehearsal`."""
        return self._endpoint.name

    @property
    def endpoint(self) -> ArmEndpoint:
        """Where its Resource Manager is."""
        return self._endpoint

    def account(self) -> Account:
        """Sign in and return the subscription in use.

        Raises:
            SignInError: No usable credential.
            SubscriptionError: None to use, or several to choose from.
        """
        if self._account is None:
            credential = sign_in(self._endpoint)
            self._account = find_account(self._endpoint, credential)
            self._clients = Clients(self._endpoint, self._account.subscription_id, credential)
        return self._account

    def caller_address(self) -> str:
        """The address (CIDR, one host) from which the cloud will see this computer.

        Raises:
            TransientError: It cannot be found out.
        """
        return self._endpoint.caller_address or public_address()

    def resolve_image(self, region: str, image: ImageReference) -> ImageReference:
        """Replace `latest` by the exact newest version on offer in `region`.

        Raises:
            RequestRefusedError: There is no such image there.
        """
        return resolve_image(self._open(), region, image)

    def planned(self, request: MachineRequest) -> Sequence[PlannedResource]:
        """What `provision` would create, in order of creation. No network."""
        stack = Stack.of(request, Names("", request.run_id))
        resources = [stack.group, *(resource for resource, _ in stack.in_order())]
        for node in range(1, request.nodes):
            resources += Stack.of(request, Names("", request.run_id, node=node)).of_one_machine()
        return [PlannedResource(resource.kind, resource.name, resource.detail) for resource in resources]

    def provision(self, request: MachineRequest, ledger: Ledger, progress: Progress) -> Machine:
        """Create whatever of `request` does not exist yet; idempotent, so it also finishes an interrupted provisioning.

        Raises:
            ProvisioningError: What went wrong first; what was made until then is in the ledger.
        """
        first, *others = [
            replace(
                self._machine(one.machine, one.address, request.admin_username, PowerState.RUNNING),
                private_address=self._private_address(one) if request.nodes > 1 else "",
            )
            for one in provision_all(self._open(), request, ledger, progress)
        ]
        return replace(first, others=tuple(others))

    def find_machine(self, run_id: str, *, node: int = 0) -> Machine | None:
        """The run's machine as the cloud sees it now, or None; of several the one with this number, from 0."""
        clients, names = self._open(), replace(self._names(run_id), node=node)
        machines = clients.compute.virtual_machines
        machine = or_none(
            lambda: machines.get(names.group, names.machine, expand="instanceView"), f"look at {names.machine}"
        )
        if machine is None:
            return None
        address = Inventory(clients, names).read(ref_of(names.id_of(ResourceKind.PUBLIC_IP, names.public_ip)))
        username = str(seen.value_at(machine, "properties.osProfile.adminUsername") or "")
        return self._machine(machine, address or {}, username, seen.power_of(machine))

    def deallocate(self, run_id: str, progress: Progress, *, nodes: int = 1) -> None:
        """Stop the compute bill of the run's machines; disks and addresses stay. No machine is no error."""
        for node in range(nodes):
            deallocate(self._open(), replace(self._names(run_id), node=node), progress)

    def remaining(self, run_id: str) -> Sequence[ResourceRef]:
        """Every resource that still exists for the run, found by group and by tag."""
        return Inventory(self._open(), self._names(run_id)).everything()

    def destroy(
        self, run_id: str, refs: Sequence[ResourceRef], ledger: Ledger, progress: Progress
    ) -> Sequence[DeletionProof]:
        """Delete the run's group, then prove a 404 for every one of `refs` and everything else that was in the group.

        Raises:
            LeftoversError: Something is still there when the deadline (an hour) is over; it names what.
            RequestRefusedError: The group of the run's name is not the run's.
        """
        return Destruction(self._open(), run_id, ledger, progress).run(refs)

    def vacate(
        self,
        run_id: str,
        keep: Placement | None,
        ledger: Ledger,
        progress: Progress,
        *,
        keep_disk: bool = False,
        nodes: int = 1,
    ) -> None:
        """Delete what could not serve the run's machines at `keep`, with a 404 for each; None keeps only the group.

        With `keep_disk` the workspace disk stays wherever it is, and a move to another place is taken back.

        Raises:
            RequestRefusedError: The group of the run's name is not the run's.
            ProvisioningError: Something cannot be deleted now; the next call goes on from there.
        """
        # The first one last: what all share goes with it.
        for node in reversed(range(nodes)):
            names = replace(self._names(run_id), node=node)
            Vacating(self._open(), names, keep, ledger, progress, nodes=nodes).run(keep_disk=keep_disk)

    def owned(self, *, confirm: bool = True) -> Sequence[OwnedRun]:
        """Everything of ours in the subscription; see `OwnedSearch.run`."""
        return OwnedSearch(self._open()).run(confirm=confirm)

    def console_log(self, run_id: str) -> str:
        """The machine's serial log, for when SSH never comes up; empty while the cloud has none."""
        return console_log(self._open(), self._names(run_id))

    def survey(self, request: SurveyRequest, progress: Progress) -> Survey:
        """What the cloud says about a wish before anything is created; see `provisioning.types.Cloud.survey`.

        Raises:
            SignInError: No usable credential.
            SubscriptionError: The subscription cannot be used.
        """
        account = self.account()
        return take_survey(self._open(), account, request, progress)

    def power(self, run_id: str, *, node: int = 0) -> MachinePower | None:
        """The power state of the run's machine and since when, or None when there is none. One read."""
        return look_at_power(self._open(), replace(self._names(run_id), node=node))

    def renew(self, run_id: str, renewal: Renewal, ledger: Ledger, progress: Progress) -> None:
        """Give a run that exists another end: its tags, and its auto-shutdown. Idempotent; no group is no error.

        Raises:
            RequestRefusedError: The group of the run's name is not the run's.
        """
        for node in range(renewal.nodes):
            renew(self._open(), replace(self._names(run_id), node=node), renewal, ledger, progress)

    def describe(self, run_id: str) -> RunInCloud | None:
        """Everything that the cloud shows of a run, or None when it has no group. Only reads.

        Raises:
            RequestRefusedError: The group of the run's name is not the run's.
        """
        clients, names = self._open(), self._names(run_id)

        def find(machine: Mapping[str, Any]) -> Machine:
            address = Inventory(clients, names).read(ref_of(names.id_of(ResourceKind.PUBLIC_IP, names.public_ip)))
            username = str(seen.value_at(machine, "properties.osProfile.adminUsername") or "")
            return self._machine(machine, address or {}, username, seen.power_of(machine))

        return describe(clients, names, find)

    def start(self, run_id: str, progress: Progress) -> None:
        """Start the run's machine after it was deallocated; the compute bill begins again."""
        start(self._open(), self._names(run_id), progress)

    def run_script(self, run_id: str, script: str, progress: Progress) -> str:
        """Run a POSIX shell script as root on the run's running machine, without its network.

        Gives the last 4,096 bytes of what it printed on standard output, whether it failed or not.
        """
        return run_script(self._open(), self._names(run_id), script, progress)

    def admit(self, run_id: str, caller_address: str, progress: Progress, *, exactly: bool = False) -> str:
        """Let `caller_address` (CIDR) reach port 22 instead of whoever may now; gives who may afterwards."""
        return admit(self._open(), self._names(run_id), caller_address, progress, exactly=exactly)

    def read_mark(self, run_id: str, name: str) -> str | None:
        """A tag of the run's group: empty when it has none of that name, None when there is no group."""
        return read_mark(self._open(), self._names(run_id), name)

    def write_mark(self, run_id: str, name: str, value: str) -> None:
        """Give a tag of the run's group a value (at most 256 characters). No group is no error."""
        write_mark(self._open(), self._names(run_id), name, value)

    def find_workspace(self, run_id: str) -> Workspace | None:
        """The run's workspace disk, wherever it stands now, or None. A few reads."""
        return find_workspace(self._open(), self._names(run_id))

    def move_disk(
        self, run_id: str, to: Placement, tags: Mapping[str, str], ledger: Ledger, progress: Progress
    ) -> Workspace:
        """Bring the workspace disk to the place of `to`; see `Moving.run` and `provisioning.types.Cloud.move_disk`."""
        destination = Destination(Place(to.region.lower(), to.zone), tags)
        return Moving(self._open(), self._names(run_id), destination, ledger, progress).run()

    def probe(self, request: MachineRequest, ledger: Ledger, progress: Progress) -> None:
        """Rent a machine with a small empty disk, and give it back; see `provisioning.types.Cloud.probe`."""
        probe(self._open(), request, ledger, progress)

    def close(self) -> None:
        """Close the connections."""
        if self._clients is not None:
            self._clients.close()

    def _open(self) -> Clients:
        self.account()
        assert self._clients is not None  # noqa: S101  (account() made them)
        return self._clients

    def _names(self, run_id: str) -> Names:
        return Names(self.account().subscription_id, run_id)

    def _private_address(self, one: Provisioned) -> str:
        if self._endpoint.machines_are_here:
            return str(seen.value_at(one.address, "properties.ipAddress") or "")
        return private_address(one.interface)

    def _machine(
        self, machine: Mapping[str, Any], address: Mapping[str, Any], username: str, power: PowerState
    ) -> Machine:
        where = str(seen.value_at(address, "properties.ipAddress") or "")
        zones = machine.get("zones") or []
        return Machine(
            vm_id=str(machine["id"]),
            address=where,
            # On the rehearsal cloud only a running machine has a port.
            ssh_port=self._endpoint.ssh_port(where) if where and power is PowerState.RUNNING else SSH_PORT,
            username=username,
            region=str(machine["location"]),
            zone=str(zones[0]) if zones else None,
            power=power,
        )
