"""Hours of this machine, over all its starts: what dollars_so_far is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from templates.agent import atomic

_SAVE_EVERY_SECONDS = 60.0


@dataclass
class Meter:
    """Billed time. Seconds since the epoch, and seconds.

    Attributes:
        boot: The start of the machine that is being counted.
        up_since: When it was.
        seen_at: Last time that the machine was up for certain.
        earlier_seconds: What earlier starts add up to; time in between (deallocated) is not billed.
    """

    boot: str
    up_since: float
    seen_at: float
    earlier_seconds: float = 0.0

    def tick(self, now: float, boot: str) -> None:
        """Count on; a new `boot` means that the machine was off in between."""
        if boot != self.boot:
            self.earlier_seconds += self.seen_at - self.up_since
            self.boot = boot
            self.up_since = max(self.seen_at, now - uptime_seconds())
        self.seen_at = max(self.seen_at, now)

    def seconds(self, now: float) -> float:
        """Billed seconds until `now`."""
        return self.earlier_seconds + max(0.0, now - self.up_since)


class MeterFile:
    """A meter that is remembered: at most a minute is lost when the machine goes down."""

    def __init__(self, path: Path, *, started_at: float, boot: str) -> None:
        saved = atomic.read_json(path)
        self.meter = Meter(boot, started_at, started_at) if saved is None else Meter(**saved)
        self._path = path
        self._saved_at = 0.0

    def tick(self, now: float, boot: str) -> None:
        """Count on, and save when it is time."""
        changed = boot != self.meter.boot
        self.meter.tick(now, boot)
        if changed or now - self._saved_at >= _SAVE_EVERY_SECONDS:
            atomic.write_json(self._path, asdict(self.meter))
            self._saved_at = now


def uptime_seconds() -> float:
    """How long this machine has been up; 0 where it does not say (then the agent's own start counts)."""
    try:
        return float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return 0.0
