"""A small Hub on the loopback: the routes, headers and error codes that huggingface_hub really uses for downloads."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "1234567890abcdef1234567890abcdef12345678"
LFS_BYTES = 100_000


@dataclass
class HubRepo:
    """One repository with one commit on `main`.

    Attributes:
        files: Content by path; files of 100 kB and more are LFS files, served by redirect as the Hub does.
        token: What a request must bear; None opens it to all.
        gated: Without the token it is gated instead of unknown.
    """

    files: dict[str, bytes]
    token: str | None = None
    gated: bool = False


@dataclass
class HubServer:
    """What is served, and what was asked.

    Attributes:
        repos: By `models/owner/name` or `datasets/owner/name`.
        requests: `METHOD path` of every request, in order.
        damage: Paths whose bytes are flipped on their way.
    """

    url: str = ""
    repos: dict[str, HubRepo] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    damage: set[str] = field(default_factory=set)


@contextmanager
def hub_server(**repos: HubRepo) -> Iterator[HubServer]:
    """Serve `repos` (keys may be given later through `.repos`) until the block ends."""
    hub = HubServer(repos=dict(repos))

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the server's signature
        """Nothing on the test's terminal."""

    def _route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.requests.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) >= 4:
            what, *rest = parts[4:] or ["revision", "main"]
            self._api(self._repo("/".join(parts[1:4])), parts[2:4], what, "/".join(rest))
        elif parts[0] == "cdn":
            self._cdn(parts[1])
        else:
            kind = "datasets" if parts[0] == "datasets" else "models"
            owner, name, _, revision, *rest = parts[1:] if kind == "datasets" else parts
            self._resolve(self._repo(f"{kind}/{owner}/{name}"), revision, "/".join(rest))

    def _repo(self, key: str) -> HubRepo | None:
        repo = self.served.repos.get(key)
        if repo is None or (repo.token and self.headers.get("Authorization") != f"Bearer {repo.token}"):
            gated = repo is not None and repo.gated
            # The Hub says 401 for what does not exist and for what may not be seen alike.
            self._error(403 if gated else 401, "GatedRepo" if gated else "RepoNotFound")
            return None
        return repo

    def _api(self, repo: HubRepo | None, name: list[str], what: str, rest: str) -> None:
        if repo is None:
            return
        if rest.split("/", maxsplit=1)[0] not in {"main", COMMIT}:
            self._error(404, "RevisionNotFound")
        elif what == "revision":
            siblings = [{"rfilename": path} for path in repo.files]
            self._json({"id": "/".join(name), "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
        else:
            self._json([_entry(path, data) for path, data in repo.files.items()])

    def _resolve(self, repo: HubRepo | None, revision: str, path: str) -> None:
        if repo is None:
            return
        data = repo.files.get(path)
        if revision not in {"main", COMMIT} or data is None:
            self._error(404, "EntryNotFound" if data is None else "RevisionNotFound")
            return
        if len(data) < LFS_BYTES:
            self._bytes(path, data, {"ETag": f'"{_git_blob(data)}"', "X-Repo-Commit": COMMIT})
            return
        digest = hashlib.sha256(data).hexdigest()
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
        # The Hub's storage is another host than the Hub, which is where a client's HEAD stops.
        storage = self.served.url.replace("127.0.0.1", "localhost")
        self._answer(302, b"", {**headers, "Location": f"{storage}/cdn/{digest}"})

    def _cdn(self, digest: str) -> None:
        for repo in self.served.repos.values():
            for path, data in repo.files.items():
                if hashlib.sha256(data).hexdigest() == digest:
                    self._bytes(path, data, {"ETag": f'"{digest}"'})
                    return
        self._error(404, "EntryNotFound")

    def _bytes(self, path: str, data: bytes, headers: dict[str, str]) -> None:
        if path in self.served.damage:
            data = bytes([data[0] ^ 1]) + data[1:]
        start = self.headers.get("Range")
        if start and self.command == "GET":
            begin = int(start.removeprefix("bytes=").split("-")[0])
            content_range = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self._answer(206, data[begin:], {**headers, "Content-Range": content_range})
        else:
            self._answer(200, data, headers)

    def _json(self, document: object) -> None:
        self._answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str) -> None:
        self._answer(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": _git_blob(data)}
    if len(data) >= LFS_BYTES:
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry


def _git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
