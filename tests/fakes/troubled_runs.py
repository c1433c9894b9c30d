"""Schedules of commands and troubles: the cloud half of runs, through the real `Run` and the real SDKs.

The machines of this rehearsal cloud boot nothing (`LLAMALIFT_MACHINES=none`), so a schedule costs seconds at most.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from provisioning.azure.cloud import AzureCloud
from provisioning.errors import RehearsalError
from provisioning.rehearsal import service
from provisioning.rehearsal.cloud import rehearsal_endpoint
from provisioning.rehearsal.machines import MachineKind
from runs.overview import overview
from runs.pipeline import OUR_ERRORS
from runs.run import Run
from runs.spec.recipes import write_recipe
from runs.state_folder import StateFolder
from runs.status import look
from runs.sweep import sweep
from runs.sweep_removal import remove
from runs.types import RunState, Silent, StageName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle
    from runs.context import RunContext
    from runs.stages.base import Stage
    from runs.types import Reporter

# A look at a running operation costs nothing here.
_POLL_SECONDS = 0.02
_CLOUD_STAGES = frozenset({StageName.PROVISION, StageName.TEARDOWN})
_OS_DISK = "-os"

# What may go wrong, and where it does on Azure.
_ANYWHERE = (
    "throttled", "throttled-by-compute", "internal-error", "bad-gateway", "unavailable", "reset", "reset-after-effect",
    "error-after-effect", "another-operation", "no-rights", "expired-sign-in", "fails-later",
)  # fmt: skip
_MACHINE = (
    "quota-of-family", "quota-of-region", "size-not-available", "no-capacity", "no-capacity-in-zone", "too-many-wishes",
    "boots-too-slowly", "cannot-change",
)  # fmt: skip
_DELETION = (
    "deletion-rolled-back",
    "interface-reserved",
    "address-in-use",
    "locked",
    "reset-after-effect",
    "unavailable",
)
_TARGETS = ("/resourceGroups/[^/]+$", "/disks/", "/publicIPAddresses/", "/virtualNetworks/", "/networkInterfaces/",
            "/networkSecurityGroups/", "/virtualMachines/", "/schedules/", "/roleAssignments/")  # fmt: skip


POLICIES = ("auto", "keep")


def _fault(method: str, paths: tuple[str, ...], troubles: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "method": st.just(method),
            "path": st.sampled_from(paths),
            "trouble": st.sampled_from(troubles),
            "first": st.sampled_from((1, 1, 1, 2, 3)),
            "count": st.sampled_from((1, 1, 1, 2, 5)),
        }
    )


_READS = _fault("GET", (*_TARGETS, "operations/", "operationresults/", "/resources$"), _ANYWHERE)
_SLOW = st.builds(
    lambda fault, seconds: {**fault, "trouble": None, "operation_delay_seconds": seconds},
    _fault("*", ("/virtualMachines/[^/]+$", "/resourceGroups/[^/]+$", "/disks/"), ("reset",)),
    st.sampled_from((0.05, 0.3)),
)
_ROLLED_BACK = st.builds(
    lambda fault, kind: {**fault, "trouble": None, "survivors": kind},
    _fault("DELETE", ("/resourceGroups/[^/]+$",), ("reset",)),
    st.sampled_from(("/disks/", "/virtualMachines/", "/publicIPAddresses/")),
)
_RENTING = st.one_of(
    _fault("PUT", ("/virtualMachines/[^/]+$",), (*_MACHINE, *_ANYWHERE)),
    _fault("PUT", _TARGETS, _ANYWHERE),
    _READS,
    _SLOW,
)
_DELETING = st.one_of(
    _fault("DELETE", ("/resourceGroups/[^/]+$", "/virtualMachines/", "/disks/"), _DELETION), _READS, _SLOW, _ROLLED_BACK
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens in a schedule.

    Attributes:
        command: What is done.
        faults: What goes wrong meanwhile.
        interrupted_at: After how many words on the screen its user presses Ctrl-C; 0 for never.
    """

    command: str
    faults: list[dict[str, Any]]
    interrupted_at: int


def _step(command: str, faults: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Step]:
    some = st.one_of(st.just([]), *[st.lists(faults, min_size=1, max_size=3)] * 3)
    return st.builds(Step, st.just(command), some, st.sampled_from((0, 0, 0, 0, 3, 7)))


_UNTROUBLED = st.builds(Step, st.sampled_from(("evict", "power_cut", "status")), st.just([]), st.just(0))
STEPS = st.one_of(
    *[_step("up", st.one_of(_RENTING, _RENTING, _DELETING))] * 4,
    *[_step("down", _DELETING)] * 2,
    _step("sweep", _DELETING),
    _UNTROUBLED,
    _UNTROUBLED,
)


def wire(fault: dict[str, Any]) -> dict[str, Any]:
    """A fault as the rehearsal cloud takes it; nobody here waits as long as Azure asks to."""
    kept = {name: value for name, value in fault.items() if value is not None}
    if str(kept.get("trouble", "")).startswith("throttled") and fault["count"] < 5:
        kept["headers"] = {"x-ms-retry-after-ms": "20"}
    return kept


class CloudHalf(Run):
    """A run of which only what happens in the cloud is done: rent, and delete."""

    handle: ClassVar[Callable[[], EmulatorHandle]]

    @contextlib.contextmanager
    def context(self, reporter: Reporter | None = None) -> Iterator[RunContext]:
        """The usual context, with the rehearsal cloud opened on an impatient endpoint."""
        with super().context(reporter) as context:
            context.use_cloud(self.open_cloud())
            yield context

    def open_cloud(self) -> AzureCloud:
        """The rehearsal cloud, which this client does not end."""
        return AzureCloud(replace(rehearsal_endpoint(type(self).handle()), poll_seconds=_POLL_SECONDS))

    def _stages(self, context: RunContext, *, keep: bool) -> list[Stage]:
        return [stage for stage in super()._stages(context, keep=keep) if stage.name in _CLOUD_STAGES]


@dataclass(slots=True)
class Tally:
    """What was found wrong in all schedules; told at once, or counted.

    Attributes:
        strict: Fail at the first, so that Hypothesis finds the shortest schedule.
        verbose: Tell every schedule.
        schedules: How many were tried.
        leaks: Schedules after which something was left.
        unexplained: Failures that are not ours, or say no next command.
        inconsistent: What the journal and the cloud did not agree on.
        doubled: More than one machine of a run at once.
    """

    strict: bool
    verbose: bool = False
    schedules: int = 0
    leaks: int = 0
    unexplained: int = 0
    inconsistent: int = 0
    doubled: int = 0
    failed_commands: int = 0
    found: list[str] = field(default_factory=list)

    def add(self, kind: str, words: str, history: list[str]) -> None:
        """Something was wrong."""
        setattr(self, kind, getattr(self, kind) + 1)
        told = f"{kind}: {words}\n  after " + "\n        ".join(history)
        self.found.append(told)
        if self.strict:
            raise AssertionError(told)


class Stand:
    """One rehearsal cloud and one state folder, for all schedules of a process."""

    def __init__(self, folder: Path) -> None:
        os.environ["LLAMALIFT_MACHINES"] = MachineKind.NONE
        self.state = StateFolder(folder / "state")
        self.run_files = {policy: _run_file(folder, policy) for policy in POLICIES}
        self._handle = service.ensure_running(self.state.root)
        CloudHalf.handle = staticmethod(self.handle)

    def handle(self) -> EmulatorHandle:
        """The rehearsal cloud; a new process of it when the former one was killed."""
        if service.running(self.state.root) is None:
            self._handle = service.ensure_running(self.state.root)
        return self._handle

    def kill(self) -> None:
        """Kill its process, as a power cut would."""
        handle = self.handle()
        os.kill(handle.pid, signal.SIGKILL)
        service.end(handle)

    def close(self) -> None:
        """End it."""
        service.end(self.handle())


def _run_file(folder: Path, policy: str) -> Path:
    file = write_recipe("tiny-cpu", folder / policy)
    # Two regions, and in each a zone and none: there is somewhere else to go.
    places = "machine:\n  regions: [eastus, westus3]\n  zones: [1]\n"
    text = file.read_text().replace("machine:\n", places)
    file.write_text(f"{text}\non_failure: {policy}\n")
    return file


class Impatient(Silent):
    """Presses Ctrl-C at the nth thing that the run says it waits for; never at 0."""

    def __init__(self, interrupted_at: int) -> None:
        self._left = interrupted_at

    def waiting(self, stage: StageName, what: str) -> None:
        """One more thing that is waited for."""
        super().waiting(stage, what)
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


class TroubledRun(RuleBasedStateMachine):
    """One run: commands in any order, while things go wrong by script. In the end nothing is left."""

    stand: ClassVar[Stand]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []
        self.run: CloudHalf | None = None

    @initialize(policy=st.sampled_from(POLICIES))
    def enter(self, policy: str) -> None:
        """Every schedule begins with a run of which nothing exists."""
        self._begin(policy)

    # One rule for all: of several, Hypothesis leaves some out of each schedule, and without `up` nothing happens.
    @rule(step=STEPS, policy=st.sampled_from(POLICIES))
    def act(self, step: Step, policy: str) -> None:
        """One more thing happens; a run that has ended is judged and followed by another."""
        if self.has_ended and step.command in {"up", "down"}:
            self._judge()
            self._begin(policy)
        if step.command in {"up", "down", "sweep"}:
            self._script(step.faults)
        getattr(self, f"_{step.command}")(step.interrupted_at)

    def _up(self, interrupted_at: int) -> None:
        """`up` or `resume`: the same."""
        self._command("up", lambda run: run.up(Impatient(interrupted_at), keep=True))

    def _down(self, interrupted_at: int) -> None:
        self._command("down", lambda run: run.down(Impatient(interrupted_at)))

    def _status(self, _interrupted_at: int) -> None:
        """`status` and `ls`."""
        self._command("status", look)
        overview(self.stand.state)

    def _sweep(self, _interrupted_at: int) -> None:
        """`sweep --remove --discard --yes` of the run, as from any computer."""

        def find_and_remove(run: CloudHalf) -> None:
            with contextlib.closing(run.open_cloud()) as cloud:
                for found in sweep(cloud, self.stand.state, run.run_id):
                    removal = remove(found, cloud, self.stand.state, discard=True)
                    if not removal.is_removed and not (removal.reason and removal.hint):
                        self.tally.add("unexplained", f"sweep: {removal}", self.history)

        self._command("sweep", find_and_remove)

    def _evict(self, _interrupted_at: int) -> None:
        """The machine is taken away, if there is one."""
        self.history.append("evict")
        with contextlib.suppress(RehearsalError):
            service.evict(self.stand.handle(), f"{self._run_id}-vm")

    def _power_cut(self, _interrupted_at: int) -> None:
        """The cloud's own process is killed: what is durable stays, scripted faults are forgotten."""
        self.history.append("power cut")
        self._check_doubles()
        self.stand.kill()

    def teardown(self) -> None:
        """What holds after every schedule."""
        if self.run is None:
            return
        self.tally.schedules += 1
        self._judge()
        if self.tally.verbose:
            print("\n    ".join([f"schedule {self.tally.schedules}", *self.history]), flush=True)  # noqa: T201

    @property
    def has_ended(self) -> bool:
        """Whether nothing of the run is left, as the journal sees it."""
        return self.run is None or self.run.journal.run(self._run_id).state is RunState.ENDED

    def _begin(self, policy: str) -> None:
        self.history.append(f"a run, on_failure: {policy}")
        self._script([])
        created = Run.create(self.stand.run_files[policy], state=self.stand.state)
        self.run = CloudHalf(created.row, created.state, created.journal)

    def _judge(self) -> None:
        """Once nothing goes wrong any more, `down` leaves nothing."""
        assert self.run is not None
        self._script([])
        self._command("the last down", lambda run: run.down(discard=True), must_succeed=True)
        self._check_doubles()
        left = self._existing()
        if left:
            self.tally.add("leaks", ", ".join(left), self.history)
        unproven = [each.name for each in self.run.journal.effects(self._run_id) if each.gone_at is None]
        if unproven or not self.has_ended:
            self.tally.add("inconsistent", f"not proven gone: {unproven}", self.history)

    def _script(self, faults: list[dict[str, Any]]) -> None:
        if faults:
            self.history.append(f"faults {faults}")
        service.script_faults(self.stand.handle(), *map(wire, faults))

    @property
    def _run_id(self) -> str:
        assert self.run is not None
        return self.run.run_id

    def _command(self, name: str, command: Callable[[CloudHalf], object], *, must_succeed: bool = False) -> None:
        assert self.run is not None
        self.history.append(name)
        try:
            command(self.run)
        except KeyboardInterrupt:
            self.history[-1] += " -> interrupted"
        except OUR_ERRORS as error:
            self.tally.failed_commands += 1
            self.history[-1] += f" -> {type(error).__name__}: {error}"
            if must_succeed or not str(error) or not error.hint:
                self.tally.add("unexplained", f"{name}: {error!r}, hint: {error.hint}", self.history)
        except Exception as error:  # noqa: BLE001 - whatever else it is, it is what we look for
            self.history[-1] += f" -> {error!r}"
            self.tally.add("unexplained", f"{name}: {error!r}", self.history)
        self._check_intents()

    def _existing(self) -> list[str]:
        group = f"/resourcegroups/llamalift-{self._run_id}"
        return [one for one in service.witness(self.stand.handle())["existing"] if group in one.lower()]

    def _check_intents(self) -> None:
        """Whatever exists was intended before, and is not called gone; the machine's own disk comes with it."""
        assert self.run is not None
        known = {each.resource_id.lower() for each in self.run.journal.effects(self._run_id) if each.gone_at is None}
        unknown = [one for one in self._existing() if one.lower() not in known and not one.endswith(_OS_DISK)]
        if unknown:
            self.tally.add("inconsistent", f"exists, but not in the journal: {unknown}", self.history)

    def _check_doubles(self) -> None:
        counts = service.witness(self.stand.handle())["machines"].get(f"llamalift-{self._run_id}", {})
        if counts.get("most_at_once", 0) > 1:
            self.tally.add("doubled", str(counts), self.history)
