"""Trainings that are killed: one SIGKILL at a chosen moment, then a close look at what came after it."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import check_manifest
from templates.agent.processes import TOKEN_VARIABLE, family, signal_all
from templates.agent.stock import newest_step
from templates.training.save_schedule import ShrinkSchedule, next_save_step
from tests.fakes.agent_run import is_running
from tests.fakes.agent_training import BASE_FLAGS, AgentTraining, prepare_training, read, weights_digest
from tests.fakes.training_run import DEADLINE_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.fakes.training_run import TrainingRun

# Draining goes on beside the training, and only where there is scratch.
DRAIN = "drain"
# A checkpoint has some 20 MB: its drain takes a second.
_DRAIN_BYTES_PER_SECOND = "20e6"
PHASES = ("load", "step", "save", "prune", "gather")
TARGETS = ("rank", "ranks", "launcher", "holder", "agent", "machine")
_BEATS = {"load": "loading", "step": "training", "save": "saving", "prune": "saving", "gather": "saving_final"}
_PHASE_OF_BEAT = {None: "load", "loading": "load", "training": "step", "saving": "save", "saving_final": "gather"}
ENDED = frozenset({"done", "failed", "stopped"})
SCHEDULE = ShrinkSchedule(first_interval=4, max_share=1.0)


def flags(epochs: int) -> list[str]:
    """A training of eight steps an epoch, saved as the ladder says."""
    return [*BASE_FLAGS, "--num_train_epochs", str(epochs), "--llamalift_schedule", SCHEDULE.to_json()]


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a training comes to when nobody disturbs it."""

    digest: str
    losses: dict[int, float]

    @classmethod
    def train(cls, folder: Path, python: Path, deepspeed: str, epochs: int) -> Undisturbed:
        """Train it."""
        training = prepare_training(folder, python, deepspeed)
        code = training.train(flags(epochs))
        if code:
            raise AssertionError(f"the undisturbed training ended with {code}: {training.log()[-3000:]}")
        return cls(weights_digest(training), _losses(training))


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what came of it.

    Attributes:
        phase: What the trainer was doing.
        target: Who was killed.
        step: The last step that it had trained.
        lost: Steps that were trained again.
        promised: The most that the schedule allows to be lost then.
        orphans: Processes of the killed attempt that lived when the next one trained.
        wrong: What was not as it should be; empty when all was.
    """

    phase: str
    target: str
    step: int
    lost: int
    promised: int
    orphans: int
    wrong: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = (
            f"{self.target} killed in {self.phase} after step {self.step}: {self.lost} lost of {self.promised} promised"
        )
        return "; ".join([line, *self.wrong])


@dataclass(frozen=True, slots=True)
class _Struck:
    """A kill that is not judged yet: what there was when it came."""

    records: Path
    target: str
    members: set[int]
    newest: int
    was_loading: bool
    drains: bool


@dataclass
class KilledTraining:
    """A training under the agent; each `kill` waits for its moment, and is judged when an attempt trains again."""

    run: AgentTraining
    total_steps: int
    kills: list[Kill] = field(default_factory=list)
    tell: Callable[[Kill], None] = lambda _kill: None
    scratch: Path | None = None
    _struck: list[_Struck] = field(default_factory=list)

    @classmethod
    def start(
        cls, workspace: Path, python: Path, deepspeed: str, epochs: int, *, max_restarts: int, two_speed: bool = False
    ) -> KilledTraining:
        """Hand it over to an agent; `two_speed` saves to scratch and drains from there."""
        run = AgentTraining.prepare(workspace, python, deepspeed)
        scratch = workspace / "scratch" if two_speed else None
        if scratch:
            run.environment["LLAMALIFT_DRAIN_BYTES_PER_SECOND"] = _DRAIN_BYTES_PER_SECOND
        more = ["--llamalift_scratch", str(scratch)] if scratch else []
        run.submit([*flags(epochs), *more], max_restarts=max_restarts)
        run.agent.start()
        return cls(run, 8 * epochs, scratch=scratch)

    def kill(self, phase: str, target: str, chance: random.Random) -> bool:
        """Kill `target` at a moment in `phase`; False when the training came to its end before."""
        records = self._following(self._struck[-1].records if self._struck else None)
        if records is None or (phase != "load" and not self._judge_by(records)):
            return False
        # A moment in a save is over before these are found.
        ranks, members = self._processes(records) if phase != "load" else ([], set())
        if not self._await(records, phase, chance):
            return False
        drains = self.scratch is not None and any(self._roots()[0].glob(".draining-*"))
        if phase == "load":
            ranks, members = self._processes(records)
        newest = self._newest()
        was_loading = phase == "load" and not self._starts(records)
        self._strike(records, target, ranks, chance)
        self._struck.append(_Struck(records, target, members, newest, was_loading, drains))
        return True

    def _processes(self, records: Path) -> tuple[list[int], set[int]]:
        """The ranks of an attempt, and everything of it."""
        return self.run.ranks(records), family(f"{self.run.agent.root.name}:{records.name}")

    def wrong_at_the_end(self, undisturbed: Undisturbed) -> list[str]:
        """Wait for the end; what differs from the undisturbed training."""
        records = self._following(self._struck[-1].records) if self._struck else None
        if records is not None:
            self._judge_by(records)
        document = self.run.wait_until_done()
        if document["phase"] != "done":
            return [f"ended {document['phase']}: {document['problem']}"]
        wrong = []
        if self.run.digest() != undisturbed.digest:
            wrong.append("other weights")
        if _losses(self.run.training) != undisturbed.losses:
            wrong.append("another loss curve")
        return wrong

    def _has_ended(self, records: Path) -> bool:
        return (records / "exit.json").exists() or self.run.agent.snapshot().get("phase") in ENDED

    def _await(self, records: Path, phase: str, chance: random.Random) -> bool:
        """Wait for the moment: the phase, and then some of the time that it takes. False when it has ended."""
        further, before, trained = chance.randint(1, 3), self._newest(), set()

        def look() -> dict[str, Any] | None:
            if self._has_ended(records):
                return {}
            beat = self.run.beat(records)
            doing = beat.get("phase")
            if doing == "training":
                trained.add(beat["step"])
            if doing == "saving_final" and phase != "load":
                return beat  # later there is nothing to kill
            if phase == "prune":
                return beat if self._newest() > before else None
            if phase == DRAIN:
                return beat if any(self._roots()[0].glob(".draining-*")) else None
            return beat if doing == _BEATS[phase] and (phase != "step" or len(trained) > further) else None

        beat: dict[str, Any] = wait_closely(look, f"{phase} in {records.name}")
        saves = [event["seconds"] for event in self.run.training.events("save")]
        longest = {
            "load": 5.0,
            "step": beat.get("step_seconds", 0.5),
            "save": min(saves, default=0.1),
            "gather": 0.5,
            DRAIN: 0.8,
        }
        time.sleep(chance.uniform(0.0, longest.get(phase, 0.0)))
        return bool(beat)

    def _strike(self, records: Path, target: str, ranks: list[int], chance: random.Random) -> None:
        launcher, holder = (read(records / f"{name}.json").get("pid") for name in ("leader", "claim"))
        daemon = self.run.agent.daemons[-1]
        chosen: dict[str, list[int | None]] = {
            "rank": [chance.choice(ranks)] if ranks else [launcher],
            "ranks": [*ranks] or [launcher],
            "launcher": [launcher],
            "holder": [holder],
            "agent": [daemon.pid, holder],
            "machine": [daemon.pid, holder, launcher, *ranks],
        }
        victims = [pid for pid in chosen[target] if pid is not None]
        signal_all(victims, signal.SIGKILL)
        if daemon.pid in victims:
            daemon.wait()
            self.run.agent.start()

    def _judge_by(self, following: Path) -> bool:
        """Wait until the attempt trains, and compare where it began with what there was; False when it does not."""
        start = self._start_of(following)
        for struck in self._struck:
            found = self._judge(struck, start)
            self.kills.append(found)
            self.tell(found)
        self._struck.clear()
        return start is not None

    def _judge(self, struck: _Struck, start: int | None) -> Kill:
        last = self.run.beat(struck.records)
        phase = "load" if struck.was_loading else _PHASE_OF_BEAT.get(last.get("phase"), DRAIN)
        step = 0 if struck.was_loading else int(last.get("step", 0))
        if start is None:
            return Kill(phase, struck.target, step, 0, 0, 0, ("no attempt trained after it",))
        if phase == "save" and start >= step:
            phase = "prune"  # its checkpoint had its name already
        elif phase == "step" and struck.drains:
            phase = DRAIN
        orphans = [pid for pid in struck.members if is_running(pid) and _belongs(pid, struck.records.name)]
        promised = self._promised(struck.newest, int(struck.records.name.rpartition("-")[2]) - 1)
        wrong = [
            *([f"began at {start}, complete was {struck.newest}"] if start < struck.newest else []),
            *([f"lost {step - start} steps, promised {promised}"] if step - start > promised else []),
            *([f"{len(orphans)} orphan(s)"] if orphans else []),
            *self._garbage(start),
        ]
        return Kill(phase, struck.target, step, max(0, step - start), promised, len(orphans), tuple(wrong))

    def _following(self, records: Path | None) -> Path | None:
        """The attempt after `records`, the first for None; None when that one had ended well before it was killed."""

        def look() -> list[Path] | None:
            attempts = self.run.attempts()
            if attempts and attempts[-1] != records:
                return [attempts[-1]]
            return [] if self.run.agent.snapshot().get("phase") in ENDED else None

        found: list[Path] = wait_closely(look, f"what follows {records}: {self.run.log()[-2000:]}", 0.05)
        return found[0] if found else None

    def _start_of(self, records: Path) -> int | None:
        """Where the attempt began to train, by its own word; None when it ended before."""

        def look() -> list[int] | None:
            return self._starts(records) or ([] if (records / "exit.json").exists() else None)

        found: list[int] = wait_closely(look, f"{records.name} to train: {self.run.log()[-3000:]}", 0.05)
        return found[0] if found else None

    def _starts(self, records: Path) -> list[int]:
        """Steps from which it, or a later attempt, began to train."""
        since = (records / "claim.json").stat().st_mtime
        return [event["start_step"] for event in self.run.training.events("plan") if event["t"] >= since]

    def _promised(self, newest: int, rungs_down: int) -> int:
        if newest >= self.total_steps:
            return 0
        due = next_save_step(
            SCHEDULE,
            last_save=newest,
            total_steps=self.total_steps,
            step_seconds=0,
            save_seconds=0,
            rungs_down=rungs_down,
        )
        return due - newest

    def _garbage(self, start: int) -> Iterator[str]:
        for folder in (root / f"checkpoint-{start}" for root in self._roots()):
            # It may be pruned by now; the weights at the end tell as well.
            problems = check_manifest(folder) if folder.exists() else []
            if problems and folder.exists():
                yield f"garbage loaded: {problems[0]}"

    def _roots(self) -> list[Path]:
        """Where checkpoints are, the durable ones first."""
        return [self.run.agent.root / "checkpoints", *([self.scratch / "checkpoints"] if self.scratch else [])]

    def _newest(self) -> int:
        return max(newest_step(root) for root in self._roots())


def plan_kills(number: int, chance: random.Random, phases: Sequence[str] = PHASES) -> list[tuple[str, str]]:
    """So many pairs of phase and target, each phase as often as the others; those of the end come last."""
    pairs = [(phases[turn % len(phases)], chance.choice(TARGETS)) for turn in range(number)]
    chance.shuffle(pairs)
    return sorted(pairs, key=lambda pair: pair[0] == "gather")


def wait_closely(look: Any, what: str, pause_seconds: float = 0.002) -> Any:  # noqa: ANN401 - whatever `look` gives
    """The first value of `look` that is not None; looks often: what is waited for may be over in some milliseconds."""
    until = time.monotonic() + DEADLINE_SECONDS
    while (found := look()) is None:
        if time.monotonic() > until:
            raise AssertionError(f"not within {DEADLINE_SECONDS} s: {what}")
        time.sleep(pause_seconds)
    return found


def _belongs(pid: int, key: str) -> bool:
    """Whether the process is of that attempt, and not another with the same number."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - a name of the kernel's
            return f"{TOKEN_VARIABLE}=".encode() in (text := file.read()) and f":{key}\0".encode() in text
    except OSError:
        return False


def _losses(training: TrainingRun) -> dict[int, float]:
    path = training.folder / "metrics.jsonl"
    events = (json.loads(line) for line in path.read_text().splitlines())
    return {event["step"]: event["loss"] for event in events if event["event"] == "step"}
