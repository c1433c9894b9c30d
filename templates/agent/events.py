"""Scheduled events: the warning before the platform takes the machine away, restarts it or freezes it."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from templates.agent.imds import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from templates.agent.imds import Imds

_EVERY_SECONDS = 1.0
_AFTER_SILENCE_SECONDS = 10.0
# Azure's least notice for a spot machine; every other event is announced minutes ahead
# (learn.microsoft.com/azure/virtual-machines/linux/scheduled-events).
LEAST_NOTICE_SECONDS = 30.0
# What ends what runs on the machine, the most urgent first. `Freeze` only holds it up.
ENDING = ("Preempt", "Terminate", "Redeploy", "Reboot")
FREEZE = "Freeze"


@dataclass(frozen=True, slots=True)
class Event:
    """What the platform is about to do to this machine.

    Attributes:
        id: The platform's name for it.
        kind: `Preempt`, `Terminate`, `Redeploy`, `Reboot` or `Freeze`.
        seen_at: When it was first seen, in seconds since the epoch.
        ends_at: Until then it does not begin, unless it is acknowledged.
    """

    id: str
    kind: str
    seen_at: float
    ends_at: float


class ScheduledEvents:
    """Asks each second from the start on: the service sleeps when nobody asks, and takes minutes to wake."""

    def __init__(
        self, imds: Imds, now: Callable[[], float], *, say: Callable[[str], None], log: Callable[[str], object]
    ) -> None:
        self._imds = imds
        self._now = now
        self._say = say
        self._log = log
        self._name: str | None = None
        self._answered: bool | None = None
        self._events: dict[str, Event] = {}

    def look(self) -> float:
        """Ask once; for a Watcher."""
        try:
            if self._name is None:
                self._name = str(self._imds.instance()["name"]).lower()
            ours = [event for event in self._imds.events() if self._is_ours(event)]
        except Trouble as error:
            self._report(answered=False, detail=f": {error}")
            return _AFTER_SILENCE_SECONDS
        known, now = self._events, self._now()
        self._events = {one.id: known.get(one.id, one) for one in (read_event(event, now) for event in ours)}
        self._report(answered=True, detail="")
        return _EVERY_SECONDS

    def ending(self) -> Event | None:
        """The most urgent of the events that end what runs here."""
        found = [event for event in self._events.values() if event.kind in ENDING]
        return min(found, key=lambda event: ENDING.index(event.kind), default=None)

    def freezes(self) -> list[Event]:
        """Announced interruptions that nothing needs to be saved for."""
        return [event for event in self._events.values() if event.kind == FREEZE]

    def is_on(self, event_id: str) -> bool:
        """Whether the platform still announced it when it last answered."""
        return event_id in self._events

    @property
    def answers(self) -> bool:
        """Whether the platform answered when it was last asked."""
        return self._answered is True

    def acknowledge(self, event_id: str) -> None:
        """The work is saved: the platform may go ahead."""
        try:
            self._imds.acknowledge(event_id)
        except Trouble as error:
            self._say(f"eviction {event_id} not acknowledged (it comes by itself): {error}")

    def _is_ours(self, event: dict[str, Any]) -> bool:
        resources = [str(name).lower() for name in event.get("Resources", [])]
        return event.get("EventType") in (*ENDING, FREEZE) and self._name in resources and bool(event.get("EventId"))

    def _report(self, *, answered: bool, detail: str) -> None:
        if answered != self._answered:
            self._log(f"scheduled events {'answered' if answered else 'do not answer'}{detail}")
            self._answered = answered


def read_event(event: dict[str, Any], now: float) -> Event:
    """One event as the metadata service tells it.

    `NotBefore` is believed when it lies ahead; empty, unreadable or over (clocks differ), the least notice counts from
    now.
    """
    try:
        ends_at = parsedate_to_datetime(str(event.get("NotBefore") or "")).timestamp()
    except (ValueError, TypeError):
        ends_at = 0.0
    if ends_at <= now:
        ends_at = now + LEAST_NOTICE_SECONDS
    return Event(str(event["EventId"]), str(event["EventType"]), now, ends_at)
