"""The transfer program on the machine (`templates.transfer.bundle`), called verb by verb."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from remote.command import Command, Script
from remote.errors import CommandFailedError, CommandTimeoutError, RemoteError, TransferError
from templates.transfer.bundle import EXIT_CUT_SHORT, EXIT_DAMAGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remote.session import Session
    from templates.transfer.bundle import Item

# Hashing runs at 400 MB/s and more on a machine of the last ten years; this is for a terabyte on a slow one.
_HASHING_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the machine has at the target.

    Attributes:
        free_bytes: Free bytes on the target's filesystem.
        sizes: For each path: its size in place and its staged size, each None when there is no such file.
    """

    free_bytes: int
    sizes: tuple[tuple[int | None, int | None], ...]


def command(verb: str) -> Command:
    """The program with one of its verbs; `-X utf8` because a bare machine's locale may be ASCII."""
    return Command.of("python3", "-X", "utf8", "-c", _program(), verb)


def header(root: str, stage: str, **fields: object) -> bytes:
    """The request line that every verb reads first."""
    return json.dumps({"root": root, "stage": stage, **fields}).encode() + b"\n"


def items_field(items: Sequence[Item]) -> list[list[object]]:
    """Items as the program reads them."""
    return [list(item) for item in items]


def look(session: Session, root: str, stage: str, paths: Sequence[str]) -> Seen:
    """Free space and the sizes of what is there already."""
    answer = _ask(session, "look", header(root, stage, paths=list(paths)), timeout_seconds=120)
    return Seen(int(answer["free_bytes"]), tuple((inside, staged) for inside, staged in answer["sizes"]))


def digests(session: Session, root: str, prefixes: Sequence[tuple[str, int]]) -> list[str | None]:
    """SHA-256 in hex of the first bytes of files below `root`; None where a file is shorter or missing."""
    if not prefixes:
        return []
    request = header(root, root, prefixes=[list(prefix) for prefix in prefixes])
    answer = _ask(session, "digests", request, timeout_seconds=_HASHING_SECONDS)
    return [str(digest) if digest else None for digest in answer]


def refusal(error: CommandFailedError) -> RemoteError:
    """What a failed transfer command means."""
    if isinstance(error, CommandTimeoutError):
        return error
    said = error.stderr.strip().rpartition("\n")[2]
    if error.exit_code == EXIT_DAMAGED:
        return TransferError(f"bytes changed on their way or on the disk: {said}", hint="run it again")
    if error.exit_code == EXIT_CUT_SHORT:
        return TransferError(f"the machine did not get all bytes: {said}", hint="run it again; it continues")
    return TransferError(f"the machine cannot take or give the files: {said or error.fact}")


def _ask(session: Session, verb: str, request: bytes, *, timeout_seconds: float) -> Any:  # noqa: ANN401 - JSON
    try:
        done = session.run(command(verb), stdin=request, timeout_seconds=timeout_seconds)
        return json.loads(done.stdout)
    except CommandFailedError as error:
        raise refusal(error) from error
    except ValueError as error:
        raise TransferError(
            "the machine's transfer program did not answer in JSON", hint="is its python3 intact?"
        ) from error


@cache
def _program() -> Script:
    return Script("bundle.py", files("templates.transfer").joinpath("bundle.py").read_text(encoding="utf-8"))
