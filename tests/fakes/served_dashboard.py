"""The dashboard as its user starts it: a process of its own, which tells its address."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser

_END_SECONDS = 20.0


@dataclass(slots=True)
class ServedDashboard:
    """One that runs.

    Attributes:
        address: What it told, with the token.
        process: The process.
    """

    address: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.address).port or 0

    @property
    def base(self) -> str:
        """Its address without path and token."""
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[HTTPResponse, bytes]:
        """One request as it is, redirects not followed; with the `Host` that is given, else our own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def cookie(self) -> str:
        """What it gives for its token."""
        answer, _ = self.ask(self.address.removeprefix(self.base))
        return (answer.getheader("set-cookie") or "").partition(";")[0]

    def get(self, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
        """One request of somebody who may look."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(path, {"cookie": self.cookie(), **named})

    def end(self) -> None:
        """Interrupt it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(_END_SECONDS)


@contextmanager
def served_dashboard(state: Path, *, port: int = 0) -> Iterator[ServedDashboard]:
    """Serve the runs of a state folder until the block ends."""
    argv = [sys.executable, "-c", "from cli.app import main; main()", "dashboard", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(
        argv, env=os.environ | {"LLAMALIFT_STATE_DIR": str(state)}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    board = ServedDashboard(address, process)
    try:
        assert address.startswith("http://127.0.0.1:"), process.communicate(timeout=_END_SECONDS)
        yield board
    finally:
        if process.poll() is None:
            board.end()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a screen. Skips, saying why, where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed, and CI must not skip this")
        pytest.skip("needs Debian's package chromium, which is not installed here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            browser.close()
