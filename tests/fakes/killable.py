"""Runs the real command line in this process, and kills the process right before or after one write or request.

`python -m tests.fakes.killable --points FILE -- up run.yaml` writes every point that it passes into FILE, one a line;
`--kill POINT` dies (SIGKILL) at the point of that name (given several times: at the first of them that it passes),
`--kill-nth N` at the Nth that it passes. The product knows
nothing of it: what is watched are the standard library's own doors, SQLite's connections and http.client, through which
every SDK goes.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import signal
import sqlite3
import sys
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

BEFORE, AFTER = "before", "after"
# Words that differ from run to run, and what stands for them in a point's name.
_VARYING = (
    (re.compile(r"\?.*"), ""),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE), "ID"),
    (re.compile(r"(?<=clients/)[0-9a-f]{32}"), "ID"),
    (re.compile(r"(?<=operationresults/).+"), "ID"),
    (re.compile(r"\b127\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"-[a-z2-7]{6}\b(?=$|[-/])"), "-RUN"),
)
_TABLE = re.compile(
    r"\s*(INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM) (\w+)(?: \(run_id, kind, name, resource_id, (\w+))?"
)
# The words of a row that say what it is about: a stage, a kind of resource or fact.
_WORD = re.compile(r"[A-Za-z][A-Za-z ]{2,30}")


class Points:
    """Counts the points that this process passes, and ends it at the chosen one."""

    def __init__(self, file: Path | None, fatal: Collection[str], fatal_number: int) -> None:
        self._file = file
        self._fatal = fatal
        self._fatal_number = fatal_number
        self._number = 0
        self._lock = threading.Lock()
        self._passed: Counter[str] = Counter()

    def begin(self, what: str) -> str:
        """Something is about to be done; gives its name with the number of its occurrence."""
        for pattern, name in _VARYING:
            what = pattern.sub(name, what)
        with self._lock:
            self._passed[what] += 1
            named = f"{what} #{self._passed[what]}"
        self._pass(f"{BEFORE} {named}")
        return named

    def end(self, named: str) -> None:
        """It was done."""
        self._pass(f"{AFTER} {named}")

    def _pass(self, point: str) -> None:
        with self._lock:
            self._number += 1
            if self._file is not None:
                with self._file.open("a") as file:
                    file.write(f"{point}\n")
            if point in self._fatal or self._number == self._fatal_number:
                os.kill(os.getpid(), signal.SIGKILL)


def watch_sqlite(points: Points) -> None:
    """Make every durable write of every SQLite connection a point: the commit of a transaction, and the layout."""
    connect = sqlite3.connect

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's own type
            if sql == "COMMIT":
                return self._watched(f"write {getattr(self, '_doing', 'nothing')}", sql, parameters)
            if sql.startswith("PRAGMA user_version ="):
                return self._watched("write the layout's version", sql, parameters)
            if row := _row(sql, parameters):
                self._doing = row
            return super().execute(sql, parameters)

        def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
            named = points.begin("write the layout")
            cursor = super().executescript(sql_script)
            points.end(named)
            return cursor

        def _watched(self, what: str, sql: str, parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as above
            named = points.begin(what)
            cursor = super().execute(sql, parameters)
            points.end(named)
            return cursor

    sqlite3.connect = partial(connect, factory=Watched)  # type: ignore[assignment]  # without its deprecated forms


def _row(sql: str, parameters: Any) -> str:  # noqa: ANN401 - sqlite3's own type
    """What a statement changes, in a few words; empty for one that only reads."""
    found = _TABLE.match(sql)
    if found is None:
        return ""
    words = [str(value) for value in parameters[1:3] if isinstance(value, str) and _WORD.fullmatch(value)]
    return " ".join([found[1].split()[0].lower(), found[2], *([found[3]] if found[3] else []), *words[:1]])


def watch_http(points: Points) -> None:
    """Make every HTTP request a point: before its first byte is sent, after its answer has come."""
    connection = http.client.HTTPConnection
    putrequest, getresponse = connection.putrequest, connection.getresponse

    def put(self: http.client.HTTPConnection, method: str, url: str, *more: Any, **named: Any) -> None:  # noqa: ANN401
        self._point = points.begin(f"{method} {url}")  # type: ignore[attr-defined]  # a note of ours on their object
        putrequest(self, method, url, *more, **named)

    def get(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        response = getresponse(self)
        points.end(self._point)  # type: ignore[attr-defined]  # as above
        return response

    connection.putrequest = put  # type: ignore[method-assign]  # the standard library has no hook there
    connection.getresponse = get  # type: ignore[method-assign]  # as above


def main() -> None:
    """Watch, then run the command line with the words that follow `--`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=Path)
    parser.add_argument("--kill", action="append", default=[])
    parser.add_argument("--kill-nth", type=int, default=0)
    parser.add_argument("words", nargs="+")
    arguments = parser.parse_args()
    points = Points(arguments.points, frozenset(arguments.kill), arguments.kill_nth)
    watch_sqlite(points)
    watch_http(points)
    sys.argv = ["llamalift", *arguments.words]
    from cli.app import main as llamalift

    llamalift()


if __name__ == "__main__":
    main()
