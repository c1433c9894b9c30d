"""Sources that the machine fetches itself, whose line is the faster one: the Hub, the web, blob storage, git."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from remote.command import Command
from remote.errors import TransferError
from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remote.layout import RunLayout
    from remote.running import RunningCommand
    from remote.session import Session
    from remote.types import TransferProgress

_PULL_SECONDS = 12 * 3600.0
# The program says something each second, also while nothing moves.
_STALL_SECONDS = 120.0
_LOGIN = "name the secret that lets the machine in under `secrets:` in the run file"
_HINTS = {
    "gated": "accept its terms on the Hub's page, and name HF_TOKEN under `secrets:` in the run file",
    "repository": "check its name; a private one needs HF_TOKEN under `secrets:` in the run file",
    "revision": "name a branch, tag or commit that exists after the `@`",
    "file": "look at what the source holds, and at `ignore` in the run file",
    "missing": "check the address",
    "denied": f"{_LOGIN}: HF_TOKEN, GIT_TOKEN, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING",
    "damaged": "run it again; what is good already is kept",
    "changed": "run it again; name a commit or a SHA-256 so that it stays the same",
    "space": "give the run a larger workspace (`storage:` in the run file)",
    "network": "can the machine reach the server? Then run it again; what is there already is kept",
    "hostile": "look at who offers this; nothing of it was written",
    "busy": "wait for it, or stop it",
}


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What the machine is asked to fetch.

    Attributes:
        source: The address as the user wrote it.
        kind: `hub`, `web`, `blob` or `git`.
        words: What `templates.training.pull` needs to know for that kind.
        secrets: Environment variables of the program; they go over standard input only.
        ignore: What is left out, as in a `.gitignore`.
    """

    source: str
    kind: str
    words: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    ignore: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was fetched.

    Attributes:
        path: Where it is on the machine: a folder, or one file.
        files: How many files it has.
        size_bytes: Their size.
        fetched_bytes: What of that was fetched now; the rest was there already.
    """

    path: str
    files: int
    size_bytes: int
    fetched_bytes: int


def pull(
    session: Session,
    layout: RunLayout,
    python: str,
    request: PullRequest,
    target: str,
    *,
    progress: TransferProgress | None = None,
    endpoint: str | None = None,
) -> Pulled:
    """Have the machine fetch a source into the folder `target`; each file is verified there.

    What is there already and right is not fetched again, and what broke off is taken up, so it can be called until it
    succeeds. The trainer's archive must be on the machine.

    Args:
        session: The machine.
        layout: The run.
        python: The training environment's python.
        request: What to fetch.
        target: Absolute folder on the machine.
        progress: Told how far it is, about once a second.
        endpoint: Another Hub; by default what HF_ENDPOINT says on this computer, else the machine's own setting.

    Raises:
        TransferError: It is not there, not allowed, does not fit, or is not what its source says it is.
        UnreachableError: The connection to the machine broke.
    """
    command = _command(layout, python, endpoint or os.environ.get("HF_ENDPOINT"))
    with session.start(command, timeout_seconds=_PULL_SECONDS, stall_seconds=_STALL_SECONDS) as running:
        _say(
            running,
            {
                **request.words, "kind": request.kind, "target": target, "secrets": dict(request.secrets),
                "choose": bool(request.ignore),
            },
        )  # fmt: skip
        talk = _Talk(running, request, progress)
        while data := running.read():
            talk.take(data)
        exit_code, last = running.wait(), talk.last
        if exit_code == 0 and isinstance(last.get("path"), str):
            return Pulled(str(last["path"]), *(_number(last.get(key)) for key in ("files", "bytes", "fetched_bytes")))
        if "error" in last:
            raise _refusal(request.source, last)
        raise running.failure(exit_code)


def _command(layout: RunLayout, python: str, endpoint: str | None) -> Command:
    environment = {
        "PYTHONPATH": layout.trainer_zipapp,
        "HF_HOME": layout.hub_cache,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    if endpoint:
        environment["HF_ENDPOINT"] = endpoint
    return Command.of(python, "-m", "templates.training.pull").with_environment(environment)


class _Talk:
    """Reads the program's JSON lines: progress goes to the user, a list is chosen from, the last line is the answer."""

    def __init__(self, running: RunningCommand, request: PullRequest, progress: TransferProgress | None) -> None:
        self._running = running
        self._request = request
        self._progress = progress
        self._rest = b""
        self.last: dict[str, Any] = {}

    def take(self, data: bytes) -> None:
        """A piece of the program's output."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                document = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a library's own words; the answer is JSON
            if isinstance(document, dict):
                self.last = document
                self._heed()

    def _heed(self) -> None:
        done, total, listing = (self.last.get(key) for key in ("done_bytes", "total_bytes", "listing"))
        if self._progress and isinstance(done, int) and isinstance(total, int):
            self._progress(done, total)
        if isinstance(listing, dict):
            _say(self._running, {"wanted": _chosen(listing, self._request.ignore)})


def _chosen(listing: Mapping[str, object], ignore: Sequence[str]) -> list[str]:
    """The files that no rule leaves out; a folder that is left out is not looked into, as git does it."""
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(ignore)

    def is_left_out(path: str) -> bool:
        parts = path.split("/")
        folders = ("/".join(parts[:count]) + "/" for count in range(1, len(parts)))
        return any(spec.match_file(folder) for folder in folders) or spec.match_file(path)

    return [path for path in listing if not is_left_out(path)]


def _say(running: RunningCommand, document: Mapping[str, object]) -> None:
    running.write(json.dumps(document).encode() + b"\n")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _refusal(source: str, answer: Mapping[str, Any]) -> TransferError:
    text = printable(str(answer.get("text", "")))
    return TransferError(f"cannot fetch {source}: {text}", hint=_HINTS.get(str(answer["error"]), ""))
