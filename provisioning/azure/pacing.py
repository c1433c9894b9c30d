"""How often a running operation is looked at: soon where it takes seconds, seldom where it takes minutes.

The SDK's poller does what `Retry-After` says. ARM asks for 10 s and more even for what is done in two, and several such
operations follow each other in a launch; on the other hand Compute allows 15 looks at one operation a minute, 45 at
once (learn.microsoft.com/azure/virtual-machines/compute-throttling-limits).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.pipeline import PipelineRequest, PipelineResponse

LONGEST_WAIT_SECONDS = 60.0
_MACHINES = "/providers/microsoft.compute/virtualmachines/"
_WHERE_TO_LOOK = ("Azure-AsyncOperation", "Location")
_OUR_HEADER = "retry-after-ms"
# More operations than run at once, by far; an older one is only looked at a little more often again.
_REMEMBERED = 256

# In polling intervals (5 s on Azure). A machine is never there before the calm is over: the median is 89 s.
_CALM = 12.0
_CALM_PAUSE = 2.0
_BRISK_PAUSE = 0.8
_SHORTEST_PAUSE = 0.2
_SHARE_OF_AGE = 1 / 3


@dataclass(frozen=True, slots=True)
class Watched:
    """An operation that is being waited for.

    Attributes:
        method: The method of the request that started it.
        url: Its URL.
        began: When, on the monotonic clock in seconds.
    """

    method: str
    url: str
    began: float

    def pause_seconds(self, asked: float, interval: float, now: float) -> float:
        """How long to wait before the next look.

        A machine's creation is looked at when the server asks until a minute is over, then 15 times a minute; other
        creations after a third of the time that they have taken so far; deletions and actions at the interval, or
        later when the server asks.

        Args:
            asked: What the server asks for, in seconds.
            interval: The polling interval, in seconds.
            now: The monotonic clock, in seconds.
        """
        age = now - self.began
        if self.method != "PUT":
            pause = max(asked, interval)
        elif _MACHINES not in self.url.lower():
            pause = min(max(age * _SHARE_OF_AGE, interval * _SHORTEST_PAUSE), interval)
        elif age < interval * _CALM:
            pause = min(asked, interval * _CALM_PAUSE)
        else:
            pause = interval * _BRISK_PAUSE
        return min(pause, LONGEST_WAIT_SECONDS)


class PolitePolling(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Says when to look again instead of the server, which the SDK's poller would follow blindly. Thread-safe."""

    def __init__(self, interval_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = min(interval_seconds, LONGEST_WAIT_SECONDS)
        self._clock = clock
        self._lock = threading.Lock()
        self._watched: OrderedDict[str, Watched] = OrderedDict()

    def on_response(
        self, request: PipelineRequest[HttpRequest], response: PipelineResponse[HttpRequest, HttpResponse]
    ) -> None:
        """Replace the `Retry-After` of an answer that is no error."""
        headers = response.http_response.headers
        asked = headers.get("Retry-After", "")
        if response.http_response.status_code >= 400 or not asked.isdigit():
            return
        watched = self._remember(request.http_request, [headers[name] for name in _WHERE_TO_LOOK if name in headers])
        pause = watched.pause_seconds(float(asked), self._interval, self._clock())
        # The SDK's models read Retry-After as a whole number; the other header takes milliseconds.
        del headers["Retry-After"]
        headers[_OUR_HEADER] = str(round(pause * 1000))

    def _remember(self, request: HttpRequest, urls: list[str]) -> Watched:
        with self._lock:
            watched = self._watched.get(request.url) or Watched(request.method, request.url, self._clock())
            for url in urls:
                self._watched[url] = watched
                self._watched.move_to_end(url)
            while len(self._watched) > _REMEMBERED:
                self._watched.popitem(last=False)
        return watched
