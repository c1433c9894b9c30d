"""Schedules of commands and troubles: the cloud half of runs, through the real `Run` and the real SDKs.

The machines of this rehearsal cloud boot nothing (`LLAMALIFT_MACHINES=none`), so a schedule costs seconds at most.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
import traceback
from collections import Counter
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
from runs.placing.pauses import Pace
from runs.run import Run
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.stages.teardown import Teardown
from runs.state_folder import StateFolder
from runs.status import look
from runs.sweep import sweep
from runs.sweep_removal import remove
from runs.types import RunState, Silent, StageName
from tests.fakes.random_troubles import STEPS, UPS, Meanwhile, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runs.context import RunContext
    from runs.stages.base import Stage
    from runs.types import Reporter

# A look at a running operation costs nothing here.
_POLL_SECONDS = 0.02
# Twenty minutes, the longest that Azure asks to wait, are 60 ms.
_PACE = Pace(scale=1 / 20_000)
# Many times what the slowest command takes: whatever lasts longer hangs.
_DEADLINE_SECONDS = 120.0
_SCHEDULES_PER_CLOUD = 100
_OS_DISK = "-os"
_PLENTY: dict[str, Any] = {"capacity": [], "quota_limits": {}, "regional_quota_limits": {}}
_TROUBLED = frozenset({"up", "down", "sweep"})

# What becomes of a failed run, and where it may be: there is always a second place.
_PLACES = {"auto": "regions: [eastus, westus3]", "keep": "regions: [eastus]\n  zones: [1]"}
POLICIES = tuple(_PLACES)


class LastingCloud(AzureCloud):
    """A cloud that many commands use one after the other: one sign-in for all of them."""

    def close(self) -> None:
        """Stay open for the next command."""

    def end(self) -> None:
        """Close the connections."""
        super().close()


class CloudHalf(Run):
    """A run of which only what happens in the cloud is done: rent, and delete."""

    stand: ClassVar[Stand]

    @contextlib.contextmanager
    def context(self, reporter: Reporter | None = None) -> Iterator[RunContext]:
        """The usual context, on the cloud that is open."""
        with super().context(reporter) as context:
            context.use_cloud(type(self).stand.cloud)
            yield context

    def _stages(self, context: RunContext, *, keep: bool) -> list[Stage]:
        wanted = {stage.name for stage in super()._stages(context, keep=keep)}
        return [stage for stage in (Provision(_PACE), Teardown()) if stage.name in wanted]


@dataclass(slots=True)
class Tally:
    """What was found wrong in all schedules; told at once, or counted.

    Attributes:
        strict: Fail at the first, so that Hypothesis finds the shortest schedule.
        verbose: Tell every schedule.
        until: When to begin no more schedules, by the monotonic clock.
        schedules: How many were tried.
        leaks: Schedules after which something was left.
        unexplained: Failures that are not ours, or say no next command.
        inconsistent: What the journal and the cloud did not agree on.
        doubled: More than one machine of a run at once.
        struck: Calls that a scripted fault struck.
        untroubled: Schedules in which none did.
        commands: How many were given while things went wrong.
        failed: The commands of them that failed and said why, by the class of the error.
    """

    strict: bool
    verbose: bool = False
    until: float = math.inf
    schedules: int = 0
    leaks: int = 0
    unexplained: int = 0
    inconsistent: int = 0
    doubled: int = 0
    struck: int = 0
    untroubled: int = 0
    commands: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    @property
    def failed_share(self) -> float:
        """How many of the troubled commands failed, from 0 to 1."""
        return self.failed.total() / max(1, self.commands)

    def add(self, kind: str, words: str, history: list[str]) -> None:
        """Something was wrong."""
        setattr(self, kind, getattr(self, kind) + 1)
        told = f"{kind}: {words}\n  after " + "\n        ".join(history)
        self.found.append(told)
        if self.strict:
            raise AssertionError(told)


class Stand:
    """One rehearsal cloud and one state folder at a time, for all schedules of a process.

    Attributes:
        state: The state folder.
        cloud: The cloud, signed in to.
        run_files: A run file for each policy.
    """

    def __init__(self, folder: Path) -> None:
        os.environ["LLAMALIFT_MACHINES"] = MachineKind.NONE
        self._folder = folder
        self._number = 0
        self._lock = threading.Lock()
        self._settings = _PLENTY
        self.run_files = {policy: _run_file(folder, policy) for policy in POLICIES}
        self._open()
        CloudHalf.stand = self

    def _open(self) -> None:
        self.state = StateFolder(self._folder / f"state-{self._number}")
        self.handle = service.ensure_running(self.state.root)
        self.cloud = LastingCloud(replace(rehearsal_endpoint(self.handle), poll_seconds=_POLL_SECONDS))
        self._settings = _PLENTY

    def renew(self) -> None:
        """Begin with an empty cloud and an empty journal: thousands of former runs only make both slow."""
        self.close()
        self._number += 1
        self._open()

    def kill(self) -> None:
        """Kill the cloud's process, as a power cut would, and start it again; what is not durable is forgotten."""
        with self._lock:
            os.kill(self.handle.pid, signal.SIGKILL)
            service.end(self.handle)
            self.handle = service.ensure_running(self.state.root)
            self._settings = _PLENTY

    def script(self, faults: list[dict[str, Any]], settings: dict[str, Any]) -> None:
        """What goes wrong from now on, and what there is to be had."""
        service.script_faults(self.handle, *faults)
        wanted = _PLENTY | settings
        if wanted != self._settings:
            service.change_settings(self.handle, **wanted)
            self._settings = wanted

    def close(self) -> None:
        """End it."""
        self.cloud.end()
        service.end(self.handle)


def _run_file(folder: Path, policy: str) -> Path:
    file = write_recipe("tiny-cpu", folder / policy)
    text = file.read_text().replace("machine:\n", f"machine:\n  {_PLACES[policy]}\n")
    file.write_text(f"{text}\non_failure: {policy}\n")
    return file


class Interrupting(Silent):
    """Does something at the nth thing that a command says it waits for; in whichever of its threads that is."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self._at = at
        self._act = act
        self._lock = threading.Lock()

    def waiting(self, stage: StageName, what: str) -> None:
        """One more thing that is waited for."""
        super().waiting(stage, what)
        with self._lock:
            self._at -= 1
            is_time = self._at == 0
        if is_time:
            self._act()


class HangsError(BaseException):
    """A command does not come to an end. Nobody who catches errors catches it."""


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Break off what takes longer. Not by SIGALRM, which pytest's own time limit uses."""

    def give_up(*_: object) -> None:
        raise HangsError(f"not done after {seconds:.0f} s")

    before = signal.signal(signal.SIGUSR1, give_up)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGUSR1, before)


class TroubledRun(RuleBasedStateMachine):
    """One run: commands in any order, while things go wrong by script. In the end nothing is left."""

    stand: ClassVar[Stand]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []
        self.struck = 0
        self.run: CloudHalf | None = None

    @initialize(policy=st.sampled_from(POLICIES), step=UPS)
    def enter(self, policy: str, step: Step) -> None:
        """Every schedule begins with a launch that meets trouble."""
        # An exception would be tried again, and be another one then; a schedule without a run does nothing.
        if time.monotonic() > self.tally.until:
            return
        self._begin(policy)
        self._do(step)

    # One rule for all: of several, Hypothesis leaves some out of each schedule, and without `up` nothing happens.
    @rule(step=STEPS, policy=st.sampled_from(POLICIES))
    def act(self, step: Step, policy: str) -> None:
        """One more thing happens; a run that has ended is judged and followed by another."""
        if self.run is None:
            return
        if self.has_ended and step.command in _TROUBLED:
            self._judge()
            self._begin(policy)
        if step.command in {"down", "sweep"} and not self._existing():
            self.stand.script([], {})
            self._command("up, untroubled", lambda run: run.up(keep=True), counts=False)
        elif step.command == "up" and self._existing():
            self._evict()
        self._do(step)

    def _do(self, step: Step) -> None:
        if step.command not in _TROUBLED:
            getattr(self, f"_{step.command}")()
            return
        self._script(step)
        getattr(self, f"_{step.command}")(self._reporter(step.meanwhile))
        self._count_struck()

    def _reporter(self, meanwhile: Meanwhile) -> Reporter:
        def act() -> None:
            self.history.append(f"  meanwhile: {meanwhile.what}")
            if meanwhile.what == "ctrl-c":
                raise KeyboardInterrupt
            getattr(self, f"_{meanwhile.what.replace(' ', '_')}")()

        return Interrupting(meanwhile.at, act)

    def _up(self, reporter: Reporter) -> None:
        """`up` or `resume`: the same."""
        self._command("up", lambda run: run.up(reporter, keep=True))

    def _down(self, reporter: Reporter) -> None:
        self._command("down", lambda run: run.down(reporter))

    def _status(self) -> None:
        """`status` and `ls`."""
        self._command("status", look)
        overview(self.stand.state)

    def _sweep(self, reporter: Reporter) -> None:
        """`sweep --remove --discard --yes` of the run, as from any computer."""

        def find_and_remove(run: CloudHalf) -> None:
            cloud = self.stand.cloud
            for found in sweep(cloud, self.stand.state, run.run_id):
                removal = remove(found, cloud, self.stand.state, reporter, discard=True)
                if not removal.is_removed and not (removal.reason and removal.hint):
                    self.tally.add("unexplained", f"sweep: {removal}", self.history)
                elif not removal.is_removed:
                    self.tally.failed["Removal"] += 1
                    self.history.append(f"  not removed: {removal.reason}")

        self._command("sweep", find_and_remove)

    def _evict(self) -> None:
        """The machine is taken away, if there is one."""
        self.history.append("evict")
        with contextlib.suppress(RehearsalError):
            service.evict(self.stand.handle, f"{self._run_id}-vm")

    def _power_cut(self) -> None:
        """The cloud's own process is killed: what is durable stays, scripted faults are forgotten."""
        self.history.append("power cut")
        self._check_doubles()
        self._count_struck()
        self.stand.kill()

    def teardown(self) -> None:
        """What holds after every schedule."""
        if self.run is None:
            return
        self.tally.schedules += 1
        self.tally.struck += self.struck
        self.tally.untroubled += self.struck == 0
        self._judge()
        if self.tally.verbose:
            print("\n    ".join([f"schedule {self.tally.schedules}", *self.history]), flush=True)  # noqa: T201
        if self.tally.schedules % _SCHEDULES_PER_CLOUD == 0:
            self.stand.renew()

    @property
    def has_ended(self) -> bool:
        """Whether nothing of the run is left, as the journal sees it."""
        return self.run is None or self.run.journal.run(self._run_id).state is RunState.ENDED

    def _begin(self, policy: str) -> None:
        self.history.append(f"a run, on_failure: {policy}")
        created = Run.create(self.stand.run_files[policy], state=self.stand.state)
        self.run = CloudHalf(created.row, created.state, created.journal)

    def _judge(self) -> None:
        """Once nothing goes wrong any more, `down` leaves nothing."""
        assert self.run is not None
        self.stand.script([], {})
        self._command("the last down", lambda run: run.down(discard=True), must_succeed=True)
        self._check_doubles()
        left = self._existing()
        if left:
            self.tally.add("leaks", ", ".join(left), self.history)
        unproven = [each.name for each in self.run.journal.effects(self._run_id) if each.gone_at is None]
        if unproven or not self.has_ended:
            self.tally.add("inconsistent", f"not proven gone: {unproven}", self.history)

    def _script(self, step: Step) -> None:
        self.history += [f"fault {fault}" for fault in step.faults]
        self.history += [f"the cloud has {step.settings}"] if step.settings else []
        self.stand.script(step.faults, step.settings)

    def _count_struck(self) -> None:
        self.struck += sum(service.struck_faults(self.stand.handle))

    @property
    def _run_id(self) -> str:
        assert self.run is not None
        return self.run.run_id

    def _command(
        self, name: str, command: Callable[[CloudHalf], object], *, counts: bool = True, must_succeed: bool = False
    ) -> None:
        assert self.run is not None
        self.history.append(name)
        counts = counts and not must_succeed
        self.tally.commands += counts
        began = time.monotonic()
        try:
            with _deadline(_DEADLINE_SECONDS):
                command(self.run)
        except KeyboardInterrupt:
            self.history.append("  -> interrupted")
        except OUR_ERRORS as error:
            self.tally.failed[type(error).__name__] += counts
            self.history.append(f"  -> {type(error).__name__}: {error}")
            if must_succeed or not str(error) or not error.hint:
                self.tally.add("unexplained", f"{name}: {error!r}, hint: {error.hint}", self.history)
        except (Exception, HangsError) as error:  # noqa: BLE001 - whatever else it is, it is what we look for
            traceback.print_exc()
            self.history.append(f"  -> {error!r}")
            self.tally.add("unexplained", f"{name}: {error!r}", self.history)
        self.history[-1] += f"  ({time.monotonic() - began:.2f} s)"
        self._check_intents()

    def _existing(self) -> list[str]:
        group = f"/resourcegroups/llamalift-{self._run_id}"
        return [one for one in service.witness(self.stand.handle)["existing"] if group in one.lower()]

    def _check_intents(self) -> None:
        """Whatever exists was intended before, and is not called gone; the machine's own disk comes with it."""
        assert self.run is not None
        known = {each.resource_id.lower() for each in self.run.journal.effects(self._run_id) if each.gone_at is None}
        unknown = [one for one in self._existing() if one.lower() not in known and not one.endswith(_OS_DISK)]
        if unknown:
            self.tally.add("inconsistent", f"exists, but not in the journal: {unknown}", self.history)

    def _check_doubles(self) -> None:
        counts = service.witness(self.stand.handle)["machines"].get(f"llamalift-{self._run_id}", {})
        if counts.get("most_at_once", 0) > 1:
            self.tally.add("doubled", str(counts), self.history)
