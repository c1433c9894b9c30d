"""The program that fetches on the machine, as a process of its own on this computer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What it said last."""

    said: dict[str, Any]

    @property
    def error(self) -> str:
        """Its kind of error; empty without one."""
        return str(self.said.get("error", ""))

    @property
    def path(self) -> str:
        """Where what it fetched is."""
        return str(self.said["path"])


def begin(request: dict[str, Any], python: str = sys.executable) -> subprocess.Popen[bytes]:
    """Start it; the caller ends it."""
    process = subprocess.Popen(
        [python, "-m", "templates.training.pull"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    return process


def pull(kind: str, target: Path, wanted: list[str] | None = None, **words: Any) -> Answer:  # noqa: ANN401 - JSON
    """Fetch one source to the end; `wanted` answers its question what of the source to fetch."""
    request = {"kind": kind, "target": str(target), "choose": wanted is not None, **words}
    process = begin(request)
    answer = json.dumps({"wanted": wanted}).encode() + b"\n" if wanted is not None else b""
    output, _ = process.communicate(answer, timeout=60)
    return Answer(json.loads(output.splitlines()[-1]))
