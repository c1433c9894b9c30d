"""Fetch one source onto this machine: `python -m templates.training.pull`.

One JSON request in the first line of standard input (so that a token is in no process list); JSON lines on standard
output: progress `{"done_bytes", "total_bytes"}`; `{"listing": {path: bytes}}` where the request says `choose`, answered
by `{"wanted": [path]}` in a line of standard input; at the end `{"path", "files", "bytes", "fetched_bytes"}`, or
`{"error", "text"}` and exit code 1.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from templates.training.pull.errors import PassingError, PullError
from templates.training.pull.names import STAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from templates.training.pull.ranges import RemoteFile

_Asked = TypeVar("_Asked")

_SAY_EVERY_SECONDS = 1.0
_ASK_AGAIN_SECONDS = (1.0, 3.0, 9.0)


def pull(request: Mapping[str, Any]) -> dict[str, Any]:
    """Bring what `request` names into its target folder.

    Args:
        request: `kind` (`hub`, `web`, `blob`, `git`), `target`, and what the kind needs; see `remote.pull`.

    Raises:
        PullError: It cannot be fetched.
    """
    os.environ.update(request.get("secrets") or {})
    target = Path(request["target"])
    target.mkdir(parents=True, exist_ok=True)
    return _KINDS[request["kind"]](request, target)


def _web(request: Mapping[str, Any], target: Path) -> dict[str, Any]:
    from templates.training.pull.archive import is_unpacked, unpack
    from templates.training.pull.ranges import pull_files
    from templates.training.pull.web import web_file

    file = _patiently(lambda: web_file(request["url"], request["name"], sha256=request.get("sha256")))
    if request.get("unpack"):
        if is_unpacked(target, file.version):
            return _answer(target, 1, file.size, 0)
        with _told() as tell:
            done = pull_files(target, [file], tell)
        unpack(target / file.path, target, file.version)
        return _answer(target, 1, file.size, done.fetched_bytes)
    with _told() as tell:
        done = pull_files(target, [file], tell)
    return _answer(target / file.path, 1, file.size, done.fetched_bytes)


def _blob(request: Mapping[str, Any], target: Path) -> dict[str, Any]:
    from templates.training.pull.blob import blob_files
    from templates.training.pull.ranges import pull_files

    files, is_alone = _patiently(lambda: blob_files(request["url"]))
    if request.get("sha256"):
        files = [_with_sha256(file, request["sha256"]) for file in files]
    wanted = _chosen({file.path: file.size for file in files}, request)
    files = [file for file in files if file.path in wanted]
    with _told() as tell:
        done = pull_files(target, files, tell)
    path = target / files[0].path if is_alone else target
    return _answer(path, len(files), sum(file.size for file in files), done.fetched_bytes)


def _git(request: Mapping[str, Any], target: Path) -> dict[str, Any]:
    from templates.training.pull.alone import alone
    from templates.training.pull.git import GitRepository

    with alone(target / STAGE):
        repository = GitRepository(request["url"], request.get("revision"), target)
        listing = repository.listing()
        file = request.get("file")
        if file and file not in listing:
            raise PullError("file", f"no such file in the repository: {file}")
        wanted = {file} if file else _chosen(_weights_once(listing, request), request)
        with _told(lambda: _bytes_in(target / STAGE / "git" / "lfs")) as tell:
            fetched = repository.bring(wanted, tell)
    size = sum(bytes_ for path, bytes_ in listing.items() if path in wanted)
    return _answer(target / file if file else target, len(wanted), size, fetched)


def _hub(request: Mapping[str, Any], target: Path) -> dict[str, Any]:
    from templates.training.pull.alone import alone
    from templates.training.pull.hub import HubRepository

    with alone(target / STAGE):
        repository = HubRepository(request, target)
        listing = repository.listing()
        wanted = set(listing) if request["file"] else _chosen(listing, request)
        size = sum(bytes_ for path, bytes_ in listing.items() if path in wanted)
        with _told(lambda: _bytes_in(target / ".cache")) as tell:
            fetched = repository.bring(wanted, tell)
    path = target / request["file"] if request["file"] else target
    return {**_answer(path, len(wanted), size, fetched), "commit": repository.commit}


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Path], dict[str, Any]]] = {
    "hub": _hub,
    "web": _web,
    "blob": _blob,
    "git": _git,
}


def _weights_once(listing: Mapping[str, int], request: Mapping[str, Any]) -> dict[str, int]:
    from templates.training.pull.formats import without_other_formats

    return without_other_formats(listing) if request.get("is_model") else dict(listing)


def _with_sha256(file: RemoteFile, sha256: str) -> RemoteFile:
    from dataclasses import replace

    return replace(file, digests={"sha256": sha256})


def _chosen(listing: Mapping[str, int], request: Mapping[str, Any]) -> set[str]:
    """Which files are wanted; the client knows the rules."""
    if not request.get("choose"):
        return set(listing)
    _say({"listing": dict(listing)})
    wanted = set(json.loads(sys.stdin.readline())["wanted"]) & set(listing)
    if not wanted:
        raise PullError("file", "every file of the source is left out by `ignore`")
    return wanted


def _patiently(ask: Callable[[], _Asked]) -> _Asked:
    for seconds in (*_ASK_AGAIN_SECONDS, None):
        try:
            return ask()
        except PassingError as error:
            if seconds is None:
                raise PullError("network", str(error)) from error
            time.sleep(seconds)
    raise AssertionError


def _answer(path: Path, files: int, size: int, fetched: int) -> dict[str, Any]:
    return {"path": str(path), "files": files, "bytes": size, "fetched_bytes": fetched}


@contextmanager
def _told(under_way: Callable[[], int] = lambda: 0) -> Iterator[Callable[[int, int], None]]:
    """Gives what takes the bytes that are here, and all; the client is told once a second, also that nothing moves.

    So a client that is gone is noticed, and nothing goes on for nobody.

    Args:
        under_way: The bytes that somebody else's program has fetched beside those.
    """
    figures, over = [0, 0], threading.Event()

    def tell(done_bytes: int, total_bytes: int) -> None:
        figures[:] = done_bytes, total_bytes

    def talk() -> None:
        while not over.wait(_SAY_EVERY_SECONDS):
            try:
                _say({"done_bytes": min(figures[0] + under_way(), figures[1]), "total_bytes": figures[1]})
            except OSError:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()


def _bytes_in(folder: Path) -> int:
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    # Partial files are renamed and removed while we look.
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _say(document: Mapping[str, object]) -> None:
    print(json.dumps(document), flush=True)  # noqa: T201 - the client reads it over SSH


def main() -> int:
    """Answer one request."""
    try:
        _say(pull(json.loads(sys.stdin.readline())))
    except PullError as error:
        _say({"error": error.kind, "text": str(error)})
        return 1
    except BrokenPipeError:
        # Nobody listens any more; the next connection goes on.
        return 1
    except OSError as error:
        kind = "space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "other"
        _say({"error": kind, "text": f"{error.strerror or error}: {error.filename or ''}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
