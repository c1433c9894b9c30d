"""Models and data sets from the Hub, fetched on the machine, whose line is the faster one."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from remote.command import Command
from remote.errors import TransferError
from remote.text import gibibytes, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from remote.layout import RunLayout
    from remote.session import Session

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_URI = re.compile(rf"hf://(?P<kind>datasets/)?(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[^/]+))?(?:/(?P<file>.+))?")
_FETCH_SECONDS = 12 * 3600.0
_HINTS = {
    "gated": "accept its terms on the Hub's page, and name HF_TOKEN under `secrets:` in the run file",
    "repository": "check its name; a private one needs HF_TOKEN under `secrets:` in the run file",
    "revision": "name a branch, tag or commit that exists after the `@`",
    "file": "look at the repository's files on the Hub's page",
    "damaged": "run it again; what is good already is kept",
    "space": "give the run a larger workspace (`storage:` in the run file)",
    "network": "can the machine reach the Hub? HF_ENDPOINT names another one",
}


@dataclass(frozen=True, slots=True)
class HubUri:
    """`hf://owner/name[@revision][/file]`, with `datasets/` before the owner for a data set.

    Attributes:
        repo_type: `model` or `dataset`.
        repo_id: `owner/name`.
        revision: Branch, tag or commit; None is the default branch.
        file: One file of it; None is all.
    """

    repo_type: str
    repo_id: str
    revision: str | None
    file: str | None


def parse_hub_uri(uri: str) -> HubUri:
    """Take a `hf://` address apart.

    Raises:
        TransferError: It is none.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise TransferError(
            f"not an address on the Hub: {uri}", hint="write hf://owner/name or hf://datasets/owner/name/file.json"
        )
    revision = match["revision"]
    return HubUri(
        repo_type="dataset" if match["kind"] else "model",
        repo_id=match["repo"],
        # A revision with a slash in it (refs/pr/1) is written refs%2Fpr%2F1.
        revision=unquote(revision) if revision else None,
        file=match["file"],
    )


def fetch_from_hub(
    session: Session,
    layout: RunLayout,
    python: str,
    uri: str,
    target: str,
    *,
    progress: Callable[[str], None] | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Fetch `uri` into the folder `target` on the machine; returns the path of the folder, or of the one file.

    Every file is checked against the Hub's digest. Of a model in several formats only safetensors is fetched. The
    trainer's archive must be on the machine.

    Args:
        session: The machine.
        layout: The run.
        python: The training environment's python.
        uri: `hf://owner/name[@revision][/file]` or `hf://datasets/owner/name[@revision][/file]`.
        target: Absolute folder on the machine.
        progress: Told how far it is.
        token: The user's token for gated and private repositories; it goes over standard input only.
        endpoint: Another Hub; by default what HF_ENDPOINT says on this computer, else the machine's own setting.

    Raises:
        TransferError: It is not there, not allowed, does not fit, or is not what the Hub says it is.
        UnreachableError: The connection to the machine broke.
    """
    wanted = parse_hub_uri(uri)
    request = {
        "repo_type": wanted.repo_type,
        "repo_id": wanted.repo_id,
        "revision": wanted.revision,
        "file": wanted.file,
        "target": target,
        "token": token,
    }
    answer = _Answer(progress)
    command = _command(layout, python, endpoint or os.environ.get("HF_ENDPOINT"))
    with session.start(command, timeout_seconds=_FETCH_SECONDS) as running:
        running.write(json.dumps(request).encode())
        running.close_stdin()
        while data := running.read():
            answer.take(data)
        exit_code = running.wait()
        last = answer.last
        if exit_code == 0 and isinstance(last.get("path"), str):
            return str(last["path"])
        raise (
            _refusal(uri, last)
            if "error" in last
            else TransferError(f"the Hub's program failed on the machine: {running.failure(exit_code).fact}")
        )


def _command(layout: RunLayout, python: str, endpoint: str | None) -> Command:
    environment = {
        "PYTHONPATH": layout.trainer_zipapp,
        "HF_HOME": layout.hub_cache,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    if endpoint:
        environment["HF_ENDPOINT"] = endpoint
    return Command.of(python, "-m", "templates.training.hub_fetch").with_environment(environment)


class _Answer:
    """Reads the program's JSON lines: progress goes to the user, the last line is the answer."""

    def __init__(self, progress: Callable[[str], None] | None) -> None:
        self._progress = progress
        self._rest = b""
        self.last: dict[str, Any] = {}

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                document = json.loads(line)
            except ValueError:
                continue  # a library's own words; the answer is JSON
            if isinstance(document, dict):
                self.last = document
                self._tell()

    def _tell(self) -> None:
        done, total = self.last.get("done_bytes"), self.last.get("total_bytes")
        if self._progress and isinstance(done, int) and isinstance(total, int):
            self._progress(f"{gibibytes(done)} of {gibibytes(total)} from the Hub")


def _refusal(uri: str, answer: dict[str, Any]) -> TransferError:
    text = printable(str(answer.get("text", "")))
    return TransferError(f"cannot fetch {uri}: {text}", hint=_HINTS.get(str(answer["error"]), ""))
