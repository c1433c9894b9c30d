"""The way into a machine that was set up for another computer's key: through the control plane once, then as ever."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from remote.command import Command, Script
from remote.errors import RemoteError, SetupError
from remote.keys import public_key_bytes
from remote.text import printable

if TYPE_CHECKING:
    from remote.session import Session

_SHOWN_CHARACTERS = 200
_ANSWER = re.compile(r"<<llamalift:(?P<json>\{.*?\}):llamalift>>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LetIn:
    """What the machine said when it was told of a new key.

    Attributes:
        host_key: The key that it shows now, one OpenSSH line.
        is_one_time: It is still the one-time key of its custom data, to be replaced over the first connection.
        removed: How many former keys of llamalift were taken out.
        workspace: Its durable folder.
    """

    host_key: str
    is_one_time: bool
    removed: int
    workspace: str


def let_in_command(username: str, public_line: str) -> Command:
    """What the control plane is to run on the machine, as root."""
    return Command.of("python3", "-c", _program(), username, public_line)


def parse_let_in(output: str) -> LetIn:
    """The answer in what the control plane says that the script printed.

    Raises:
        SetupError: There is none, or the machine could not do it.
    """
    found = _ANSWER.search(output)
    if found is None:
        raise _failed(f"it said: {output[-_SHOWN_CHARACTERS:] or 'nothing'}")
    try:
        answer = json.loads(found["json"])
        if "error" not in answer:
            key = str(answer["host_key"])
            public_key_bytes(key)
            return LetIn(key, bool(answer["one_time"]), int(answer["removed"]), str(answer["workspace"]))
    except (ValueError, KeyError, TypeError, RemoteError) as error:
        raise _failed(f"its answer cannot be understood: {error}") from error
    raise _failed(str(answer["error"]))


def read_file(session: Session, path: str) -> bytes | None:
    """A small file of the machine, or None when it cannot be read.

    Raises:
        UnreachableError: The connection broke.
    """
    done = session.run(Command.of("cat", "--", path), check=False)
    return done.stdout if done.exit_code == 0 else None


def _failed(why: str) -> SetupError:
    return SetupError(
        f"the machine did not let this computer in: {printable(why)}",
        hint="its first boot may not be over: try again in a minute; `llamalift down --discard RUN` ends the run",
    )


@cache
def _program() -> Script:
    source = files("templates.adoption").joinpath("let_in.py").read_text(encoding="utf-8")
    return Script("let_in.py", source)
