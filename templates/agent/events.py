"""Scheduled events: the half minute of warning before a spot machine is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from templates.agent.imds import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from templates.agent.imds import Imds

_EVERY_SECONDS = 1.0
_AFTER_SILENCE_SECONDS = 10.0


class ScheduledEvents:
    """Asks each second from the start on: the service sleeps when nobody asks, and takes minutes to wake."""

    def __init__(self, imds: Imds, *, say: Callable[[str], None], log: Callable[[str], object]) -> None:
        self._imds = imds
        self._say = say
        self._log = log
        self._name: str | None = None
        self._answered: bool | None = None
        self._acknowledged: set[str] = set()
        self._eviction: dict[str, Any] | None = None

    def look(self) -> float:
        """Ask once; for a Watcher."""
        try:
            if self._name is None:
                self._name = str(self._imds.instance()["name"]).lower()
            self._eviction = next((event for event in self._imds.events() if self._is_ours(event)), None)
        except Trouble as error:
            self._report(answered=False, detail=f": {error}")
            return _AFTER_SILENCE_SECONDS
        self._report(answered=True, detail="")
        return _EVERY_SECONDS

    def eviction(self) -> str | None:
        """Id of an eviction of this machine that is announced and not acknowledged yet."""
        event = self._eviction
        return None if event is None or event["EventId"] in self._acknowledged else str(event["EventId"])

    def acknowledge(self, event_id: str) -> None:
        """The work is saved: the platform may go ahead."""
        self._acknowledged.add(event_id)
        try:
            self._imds.acknowledge(event_id)
        except Trouble as error:
            self._say(f"eviction {event_id} not acknowledged (it comes by itself): {error}")

    def _is_ours(self, event: dict[str, Any]) -> bool:
        resources = [str(name).lower() for name in event.get("Resources", [])]
        return event.get("EventType") == "Preempt" and self._name in resources

    def _report(self, *, answered: bool, detail: str) -> None:
        if answered != self._answered:
            self._log(f"scheduled events {'answered' if answered else 'do not answer'}{detail}")
            self._answered = answered
