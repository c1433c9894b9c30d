"""The run file of a run that is adopted: found again, or done without."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import RunError, SpecError
from runs.facts import Unread

if TYPE_CHECKING:
    from runs.journal import Journal
    from runs.types import RunRow

SHA256_TAG = "llamalift-spec-sha256"
_UNKNOWN = """\
name: {name}
cloud: {cloud}
model: {{from: hf://unknown/unknown}}
data: {{from: hf://datasets/unknown/unknown/unknown.json}}
"""


def stand_in(row: RunRow) -> str:
    """A run file for a run whose own one is not known: enough to tear it down."""
    return _UNKNOWN.format(name=row.name, cloud=row.cloud)


def refuse_unread(journal: Journal, row: RunRow) -> None:
    """Refuse to go on with a run of which too little is known: no run file, or a machine that was not asked.

    Raises:
        RunError: With the way to know more.
    """
    unread = journal.get(row.run_id, Unread)
    if unread is not None and unread.has_machine:
        raise RunError(
            f"the machine of this run was not asked yet how far it came: {row.run_id}",
            hint=f"ask it with `llamalift adopt {row.run_id}`; a deallocated one is started by `--start`",
        )
    if not row.spec_text:
        raise RunError(
            f"this computer does not know the run's run file: {row.run_id}",
            hint=f"give a copy of it with `llamalift adopt {row.run_id} --run-file RUN.yaml`",
        )


def read_copy(path: Path, sha256: str) -> str:
    """The user's own copy of the run file, byte for byte the one that the run was made from.

    Raises:
        SpecError: It cannot be read, or it is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read the run file: {path} ({error.strerror})", file=str(path)) from error
    if not is_same(content, sha256):
        raise SpecError(
            f"the run was made from another run file than this one: {path}",
            file=str(path),
            hint=f"its SHA-256 must be {sha256 or '(the run has no such tag)'}; leave `--run-file` out to read it from "
            "the machine",
        )
    return content.decode()


def is_same(content: bytes, sha256: str) -> bool:
    """Whether these are the very bytes that the run was made from."""
    return hashlib.sha256(content).hexdigest() == sha256


def place(text: str, original: str, run_id: str) -> Path:
    """Where a run file that came from the machine belongs: its old place if it is still there, else this folder.

    Relative paths in it (the model's place above all) begin at that folder, so a copy is written there.
    """
    there = Path(original)
    if original and there.is_file() and there.read_bytes() == text.encode():
        return there
    copy = Path.cwd() / f"{run_id}.yaml"
    if not copy.exists() or copy.read_bytes() != text.encode():
        part = copy.with_name(f"{copy.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(copy)
    return copy
