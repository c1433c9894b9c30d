"""A server that the real Weights & Biases client takes for its own: it keeps runs and their history in memory."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTITY = {"id": "e", "name": "ada"}


@dataclass(slots=True)
class Kept:
    """What it was told.

    Attributes:
        runs: By id: what the client said of each run, in order.
        history: By id: the lines of its history, by their number.
        files: Names of what was uploaded.
    """

    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    history: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    def answer(self, query: str, asked: dict[str, Any], url: str) -> dict[str, Any]:
        """The answer to a question in GraphQL; nothing to one that does not matter."""
        if "upsertBucket" in query:
            is_new = asked["name"] not in self.runs
            return {"upsertBucket": {"bucket": self._upsert(asked), "inserted": is_new}}
        if "RunResumeStatus" in query and asked["name"] in self.runs:
            return {"model": {"id": "p", "name": asked["project"], "entity": _ENTITY, "bucket": self._found(asked)}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{url}/upload/{name}"} for name in asked["files"]]
            return {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": files}}
        return {}

    def _upsert(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.runs.setdefault(asked["name"], []).append(asked)
        return {
            "id": "x", "name": asked["name"], "displayName": asked["displayName"], "config": "{}", "sweepName": "",
            "historyLineCount": 0, "project": {"id": "p", "name": asked["project"], "entity": _ENTITY},
        }  # fmt: skip

    def _found(self, asked: dict[str, Any]) -> dict[str, Any]:
        lines = self.history.get(asked["name"], {})
        newest = json.dumps(lines[max(lines)]) if lines else "{}"
        return {
            "id": "x", "name": asked["name"], "displayName": asked["name"], "summaryMetrics": newest,
            "logLineCount": 0, "historyLineCount": len(lines), "historyTail": json.dumps([newest]),
            "eventsLineCount": 0, "eventsTail": "[]", "config": "{}", "tags": [], "notes": "",
            # Without a time of its beginning a run counts as one that has not begun.
            "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip

    def stream(self, run: str, files: dict[str, Any]) -> None:
        """Lines of a run's history."""
        if (piece := files.get("wandb-history.jsonl")) is not None:
            lines = enumerate(piece["content"], start=piece["offset"])
            self.history.setdefault(run, {}).update((number, json.loads(line)) for number, line in lines)


class _Server(ThreadingHTTPServer):
    def __init__(self, kept: Kept) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept = kept
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Nothing is there."""
        self._say({})

    def do_PUT(self) -> None:
        """A file."""
        self.server.kept.files.add(self.path.rsplit("/", 1)[-1])
        self._body()
        self._say({})

    def do_POST(self) -> None:
        """A question, or a piece of history."""
        body = self._body()
        if self.path == "/graphql":
            asked = json.loads(body)
            answer = self.server.kept.answer(asked["query"], asked.get("variables") or {}, self.server.url)
            self._say({"data": answer})
        else:
            if self.path.endswith("/file_stream"):
                self.server.kept.stream(self.path.split("/")[-2], json.loads(body).get("files") or {})
            self._say({"limits": {}})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _say(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def wandb_server() -> Iterator[tuple[str, Kept]]:
    """Serve on loopback; gives the address and what is kept."""
    server = _Server(Kept())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.url, server.kept
    finally:
        server.shutdown()
        server.server_close()
