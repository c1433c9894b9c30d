"""How far this computer's clock is from the cloud's: tokens and certificates hold only for their time."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

    from provisioning.azure.endpoint import ArmEndpoint

_SECONDS = 5.0


def clock_skew_seconds(endpoint: ArmEndpoint) -> float | None:
    """Seconds by which this computer is ahead of the Resource Manager; None when that does not answer.

    Any answer tells the time in its `Date`, to the second; nobody has to sign in for one.
    """
    trust = ssl.create_default_context(cafile=str(endpoint.ca_file) if endpoint.ca_file else None)
    request = urllib.request.Request(endpoint.base_url, method="HEAD")  # noqa: S310 - an https address of ours
    before = time.time()
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS, context=trust) as answer:  # noqa: S310
            headers: Message = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError:
        return None
    now = (before + time.time()) / 2
    try:
        # A `Date` is cut down to its second: half of one is its middle.
        return now - parsedate_to_datetime(headers["Date"]).timestamp() - 0.5
    except (TypeError, ValueError):
        return None
