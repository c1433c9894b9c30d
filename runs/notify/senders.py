"""The two ways to tell: the desktop, and a webhook. Each says why it could not; the address is never said."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

_SECONDS = 5.0
_TRIES = 2
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# The text is an argument, not a part of the script: nothing that a run says is run.
_OSASCRIPT = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: a title of a few words, and a text of a few lines."""

    title: str
    text: str


class NotToldError(Exception):
    """It could not be told; the text says why, without the webhook's address."""


def on_desktop(message: Message) -> None:
    """Show it on this computer's desktop.

    Raises:
        NotToldError: There is no desktop, or no program for it.
    """
    argv = desktop_program()
    if argv is None:
        raise NotToldError("no program for messages here (notify-send or osascript)")
    try:
        done = subprocess.run(
            [*argv, message.title, message.text], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise NotToldError(f"{argv[0]} did not work: {type(error).__name__}") from error
    if done.returncode:
        raise NotToldError(f"{argv[0]} did not work: {done.stderr.strip() or done.returncode}")


def desktop_program() -> list[str] | None:
    """The program that shows messages here, with what goes before title and text; None where there is none."""
    if sys.platform == "darwin" and shutil.which("osascript"):
        return ["osascript", "-e", _OSASCRIPT]
    return ["notify-send", "--app-name=llamalift", "--"] if shutil.which("notify-send") else None


def to_webhook(address: str, message: Message) -> None:
    """Post it as Slack's incoming webhooks take it; Mattermost, Rocket.Chat and Discord's `/slack` take the same.

    Raises:
        NotToldError: It is no address for this, or nobody took it.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise NotToldError("the webhook's address must begin with https://")
    body = json.dumps({"text": f"*{message.title}*\n{message.text}"}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - checked above
    trouble = ""
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - checked above
                return
        except urllib.error.HTTPError as error:
            trouble = f"it answered {error.code}"
            if error.code < 500:
                break
        except (OSError, ValueError, http.client.HTTPException) as error:
            trouble = type(error).__name__
    raise NotToldError(f"the webhook did not take it: {trouble}")
