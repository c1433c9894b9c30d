"""Questions that go out side by side sign in once."""

from __future__ import annotations

import threading
import time
from typing import Any

from azure.core.credentials import AccessToken

from provisioning.azure.credential import SharedCredential

HOUR = 3600


class CountingCredential:
    """Gives a new token each time, valid for so long."""

    def __init__(self, seconds: int) -> None:
        self.asked: list[dict[str, Any]] = []
        self.closed = False
        self._seconds = seconds

    def get_token(self, *_scopes: str, **more: Any) -> AccessToken:  # noqa: ANN401  (the SDK's signature)
        """Another token."""
        self.asked.append(more)
        return AccessToken(f"token {len(self.asked)}", int(time.time()) + self._seconds)

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def test_threads_share_one_token() -> None:
    """Many threads at once cost one sign-in."""
    inner = CountingCredential(HOUR)
    shared = SharedCredential(inner)
    threads = [threading.Thread(target=shared.get_token, args=("scope",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inner.asked) == 1
    assert shared.get_token("another scope").token == "token 2"


def test_token_that_is_nearly_over_is_renewed() -> None:
    """Nobody is given a token that may end on the way."""
    inner = CountingCredential(200)
    shared = SharedCredential(inner)
    assert [shared.get_token("scope").token for _ in range(2)] == ["token 1", "token 2"]


def test_claims_need_a_new_token() -> None:
    """When the cloud asks for more than the token says, the kept one will not do."""
    inner = CountingCredential(HOUR)
    shared = SharedCredential(inner)
    shared.get_token("scope")
    assert shared.get_token("scope", claims="more").token == "token 2"
    assert inner.asked[1]["claims"] == "more"
    shared.close()
    assert inner.closed
