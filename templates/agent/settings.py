"""What the client asked for: run.json (limits) and job.json (steps)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.agent.hang import HangLimits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from templates.agent.folder import RunFolder

DEFAULT_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When compute must end.

    Attributes:
        deadline_at: Seconds since the epoch.
        dollars_cap: Most that this machine may cost, in dollars.
        idle_seconds: Longest time without a running step and without a client.
        lost_client_seconds: Longest time without a client after the job ended.
    """

    deadline_at: float
    dollars_cap: float
    idle_seconds: float
    lost_client_seconds: float

    def raised(self, wish: Mapping[str, Any]) -> Limits:
        """These limits with whatever `wish` (control/extend) raises; a lower value in it changes nothing.

        Raises:
            ValueError: A value in `wish` is no number.
        """
        now = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return replace(self, **{name: max(value, float(wish.get(name, value))) for name, value in now.items()})


@dataclass(frozen=True, slots=True)
class RunSettings:
    """run.json. Money in dollars, times in seconds since the epoch."""

    run_id: str
    username: str
    workspace: str
    data_disk_lun: int
    limits: Limits
    dollars_per_hour: float
    machine_started_at: float | None
    created_at: float
    discard_after_seconds: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunSettings:
        """Read run.json.

        Raises:
            KeyError: A field is missing.
        """
        limits = Limits(**{name: float(value[name]) for name in Limits.__dataclass_fields__})
        started = value.get("machine_started_at")
        return cls(
            run_id=value["run_id"],
            username=value["username"],
            workspace=value["workspace"],
            data_disk_lun=int(value["data_disk_lun"]),
            limits=limits,
            dollars_per_hour=float(value["dollars_per_hour"]),
            machine_started_at=None if started is None else float(started),
            created_at=float(value["created_at"]),
            discard_after_seconds=float(value["discard_after_seconds"]),
        )


def read_settings(path: Path) -> RunSettings:
    """The run.json at `path`.

    Raises:
        FileNotFoundError: It is not there.
        KeyError, ValueError: It is not a run.json.
    """
    value = atomic.read_json(path)
    if value is None:
        raise FileNotFoundError(f"no settings: {path}")
    return RunSettings.from_json(value)


def limits_now(settings: RunSettings, folder: RunFolder) -> Limits:
    """The limits with what the client has added to them since (control/extend)."""
    try:
        wish = atomic.read_json(folder.control / "extend")
        return settings.limits if wish is None else settings.limits.raised(wish)
    except (ValueError, TypeError):  # a wish that cannot be read grants nothing
        return settings.limits


@dataclass(frozen=True, slots=True)
class Step:
    """One program of the job. It succeeded only if it exited 0 and `marker` (relative to the run folder) exists.

    One that `follows` runs beside the first machine's: when that one goes, it is always started again, and waits.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None
    marker: str
    max_restarts: int
    grace_seconds: float
    hang: HangLimits | None = None
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """job.json."""

    steps: tuple[Step, ...]
    secrets_file: str | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Job:
        """Read job.json.

        Raises:
            KeyError, TypeError, ValueError: It is not a job.
        """
        grace = float(value.get("grace_seconds", DEFAULT_GRACE_SECONDS))
        steps = tuple(_step(entry, grace) for entry in value["steps"])
        if not steps:
            raise ValueError("job without steps")
        return cls(steps, value.get("secrets_file"))


def _step(entry: Mapping[str, Any], grace: float) -> Step:
    return Step(
        name=str(entry["name"]),
        argv=tuple(str(word) for word in entry["argv"]),
        env={str(name): str(value) for name, value in entry.get("env", {}).items()},
        cwd=entry.get("cwd"),
        marker=str(entry["marker"]),
        max_restarts=int(entry.get("max_restarts", 0)),
        grace_seconds=float(entry.get("grace_seconds", grace)),
        hang=HangLimits.from_json(entry.get("hang")),
        follows=bool(entry.get("follows", False)),
    )
