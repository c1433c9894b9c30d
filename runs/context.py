"""What every stage of one run works with: its journal, its spec, its cloud and its machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from provisioning.types import ResourceKind
from remote.errors import MachineOffError, UnreachableError
from remote.layout import RunLayout
from remote.types import Endpoint
from runs.errors import JournalError
from runs.facts import Decided, Prepared, Rented, Trust

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.types import Cloud
    from remote.session import Session
    from runs.journal import Journal
    from runs.spec.load import LoadedRunFile
    from runs.spec.run_file import RunFile
    from runs.state_folder import StateFolder
    from runs.types import Reporter, RunRow, StageName

_Fact = TypeVar("_Fact")

# Azure boots a GPU machine in two to ten minutes, and its SSH server answers before its user exists.
CONNECT_SECONDS = 900.0
# Silent for so long, it is asked whether this computer has another address; then after twice as long, and so on.
_FIRST_PATIENCE_SECONDS = 30.0
_AFTER_MOVE_SECONDS = 30.0


@dataclass(slots=True)
class RunContext:
    """One run while a client works on it. Close it when done: it may hold an SSH connection."""

    row: RunRow
    loaded: LoadedRunFile
    journal: Journal
    state: StateFolder
    reporter: Reporter
    _cloud: Cloud | None = field(default=None, repr=False)
    _session: Session | None = field(default=None, repr=False)
    # The limit that the machine's agent has said to end it for; empty while there is none.
    limit_fired: str = ""
    # Which of the run's machines this is about, from 0; the facts of one machine are its own.
    node: int = 0
    # How often a further machine was started again while this client followed the run.
    mended: int = 0
    _others: list[RunContext] = field(default_factory=list, repr=False)

    @property
    def spec(self) -> RunFile:
        """What the run file asks for."""
        return self.loaded.spec

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.row.run_id

    @property
    def folder(self) -> Path:
        """The run's private folder on this computer."""
        return self.state.run(self.run_id)

    @property
    def cloud(self) -> Cloud:
        """The cloud that the run file names, opened on first use."""
        if self._cloud is None:
            from provisioning.clouds import open_cloud

            # Who pays was found out once; on another computer the environment may name somebody else.
            decided = self.get(Decided)
            self._cloud = open_cloud(
                self.row.cloud,
                subscription_id=decided.subscription_id if decided else self.spec.subscription,
                state_folder=self.state.root,
            )
        return self._cloud

    @property
    def one_time_key_file(self) -> Path:
        """Where the private half of the machine's one-time host key waits until its first boot."""
        return self.folder / ("host_key_one_time" if self.node == 0 else f"host_key_one_time_{self.node + 1}")

    def others(self) -> list[RunContext]:
        """The run on its further machines; none where it has one."""
        from runs.nodes import NodeJournal, NodeReporter

        if not self._others and self.node == 0:
            self._others = [
                RunContext(
                    self.row, self.loaded, NodeJournal(self.journal, node), self.state,
                    NodeReporter(self.reporter, node), node=node,
                )
                for node in range(1, self.spec.machine.nodes)
            ]  # fmt: skip
        for one in self._others:
            one.use_cloud(self.cloud)
        return self._others

    def use_cloud(self, cloud: Cloud) -> None:
        """Use a cloud that is open already."""
        self._cloud = cloud

    def get(self, kind: type[_Fact]) -> _Fact | None:
        """The newest fact of a kind, or None."""
        return self.journal.get(self.run_id, kind)

    def require(self, kind: type[_Fact]) -> _Fact:
        """A fact that an earlier stage must have left.

        Raises:
            JournalError: It has not.
        """
        fact = self.get(kind)
        if fact is None:
            raise JournalError(
                f"the journal of {self.run_id} lacks what an earlier stage should have left: {kind.__name__}",
                hint=f"go on with `llamalift resume {self.run_id}`",
            )
        return fact

    def layout(self) -> RunLayout:
        """Where the run's files are on the machine."""
        return RunLayout(self.require(Prepared).workspace, self.run_id)

    def endpoint(self) -> Endpoint:
        """Where to knock and whom to trust."""
        rented, trust = self.require(Rented), self.require(Trust)
        return Endpoint(
            rented.address, rented.ssh_port, rented.username, self.folder / "id_ed25519", trust.accepted(),
            jump=self.spec.machine.jump or "",
        )  # fmt: skip

    def session(
        self, stage: StageName | None = None, *, deadline_seconds: float = CONNECT_SECONDS, fresh: bool = False
    ) -> Session:
        """The connection to the machine, opened when there is none, or anew when `fresh`.

        Raises:
            UnreachableError: It does not answer by the deadline, or the cloud says that it is off.
        """
        from runs.ssh_access import refresh

        if fresh:
            self._drop()
        if self._session is None:
            session = self._connected(stage, deadline_seconds)
            self._pin(session.host_key)
            self._session = session
            if self.node == 0:
                refresh(self)
        return self._session

    def _connected(self, stage: StageName | None, deadline_seconds: float) -> Session:
        """Connect; a machine that stays silent may not know this computer's new address, so that is looked after."""
        from remote.session import Session
        from runs.callers import follow
        from runs.power import Knocks

        knocks = Knocks(self)

        def wait(what: str) -> None:
            if stage is not None:
                self.reporter.waiting(stage, what)
            knocks.knock()

        deadline, patience = time.monotonic() + deadline_seconds, _FIRST_PATIENCE_SECONDS
        while True:
            left = deadline - time.monotonic()
            try:
                return Session.connect(self.endpoint(), deadline_seconds=min(patience, left), progress=wait)
            except MachineOffError:
                raise
            except UnreachableError:
                moved = follow(self)
                if time.monotonic() >= deadline and not moved:
                    raise
            patience *= 2
            if moved:
                # The rule takes some seconds to be in force.
                deadline = max(deadline, time.monotonic() + _AFTER_MOVE_SECONDS)

    def _pin(self, shown: str) -> None:
        """Once the machine shows its own key, the one-time key is worth nothing any more."""
        trust = self.require(Trust)
        if trust.one_time and trust.own and shown.split()[:2] == trust.own.split()[:2]:
            self.journal.put(self.run_id, replace(trust, one_time=""))
            self.one_time_key_file.unlink(missing_ok=True)

    def has_group(self) -> bool:
        """Whether something of the run may exist in the cloud: its group was asked for and is not proven gone."""
        kind = ResourceKind.RESOURCE_GROUP
        return any(effect.kind == kind and effect.gone_at is None for effect in self.journal.effects(self.run_id))

    def hang_up(self) -> None:
        """Close the connections to the run's machines, if there are any."""
        for one in self._others:
            one.hang_up()
        self._drop()

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def close(self) -> None:
        """Let go of the machine and the cloud."""
        self.hang_up()
        if self._cloud is not None:
            self._cloud.close()
            self._cloud = None
