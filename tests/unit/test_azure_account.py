"""Choosing the subscription, the image version, and this computer's address."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.azure.accounts import choose
from provisioning.azure.images import newest
from provisioning.azure.public_address import public_address
from provisioning.errors import SubscriptionError, TransientError
from provisioning.types import Account

if TYPE_CHECKING:
    from collections.abc import Iterator


def subscription(name: str, state: str = "Enabled") -> dict[str, Any]:
    """A subscription as Azure lists it."""
    return {"subscriptionId": f"id-of-{name}", "displayName": name, "state": state}


def test_only_usable_subscription_is_chosen() -> None:
    """Disabled ones are no choice."""
    assert choose([subscription("old", "Disabled"), subscription("lab")]) == Account("id-of-lab", "lab")


@pytest.mark.parametrize(
    ("subscriptions", "shown", "next_step"),
    [
        ([subscription("lab"), subscription("prod")], "id-of-prod", "AZURE_SUBSCRIPTION_ID"),
        ([subscription("old", "Disabled")], "no usable subscription", "az login"),
        ([], "no usable subscription", "az login"),
    ],
)
def test_no_guessing_who_pays(subscriptions: list[dict[str, Any]], shown: str, next_step: str) -> None:
    """With several subscriptions, or none, the user is asked, with the choices by name."""
    with pytest.raises(SubscriptionError, match=shown) as caught:
        choose(subscriptions)
    assert next_step in caught.value.hint


def test_newest_version_is_by_number() -> None:
    """Version 10 comes after version 9."""
    assert newest(["24.04.9", "24.04.10", "22.04.2026072901"]) == "24.04.10"


@contextmanager
def service_that_says(text: str) -> Iterator[str]:
    """A web service that answers every GET with `text`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_address_comes_from_the_first_sound_answer() -> None:
    """A service that answers nonsense, or with an address of nobody's, is passed over."""
    with (
        service_that_says("<html>hello</html>") as nonsense,
        service_that_says("10.0.0.7\n") as private,
        service_that_says("8.8.4.4\n") as sound,
    ):
        assert public_address([nonsense, private, sound]) == "8.8.4.4/32"


def test_unknown_address_is_asked_of_the_user() -> None:
    """When no service answers soundly, the user is told where to write the address."""
    with service_that_says("10.0.0.7") as private, pytest.raises(TransientError, match="not a public") as caught:
        public_address([private])
    assert "machine.allow_from" in caught.value.hint
