"""What the machine has promised beside the model, brought home or to blob storage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remote.collect import file_digest
from remote.command import Command
from remote.errors import TransferError
from remote.fetch import fetch_tree
from remote.paths import check_manifest
from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from remote.layout import RunLayout
    from remote.session import Session
    from remote.types import FileDigest, TransferProgress

# Hashing a checkpoint list is quick; uploading a model takes as long as it takes.
_LIST_SECONDS, _DELIVER_SECONDS = 3600.0, 12 * 3600.0
_PLACES = ("logs/", "checkpoints/checkpoint-", "metrics.jsonl")
_DENIED_HINT = (
    "give the machine's identity the role Storage Blob Data Contributor on the container, or name "
    "AZURE_STORAGE_SAS_TOKEN under `secrets:` in the run file; then `llamalift resume RUN`"
)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is promised beside the model.

    Attributes:
        files: Each file, relative to the run's folder.
        copies: Those that grow, as they were, relative to the folder `outputs` of it.
        missing_steps: Promised checkpoints that are not there.
    """

    files: tuple[FileDigest, ...]
    copies: tuple[FileDigest, ...]
    missing_steps: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """All of it."""
        return sum(file.size_bytes for file in (*self.files, *self.copies))


@dataclass(frozen=True, slots=True)
class Delivered:
    """What is in blob storage.

    Attributes:
        manifest_sha256: The model that is there.
        files: Its files and the others.
        size_bytes: Their size.
    """

    manifest_sha256: str
    files: int
    size_bytes: int


def read_outputs(session: Session, layout: RunLayout, python: str, flags: Sequence[str]) -> Outputs:
    """Ask the machine what it has of what was promised.

    Raises:
        TransferError: Its answer is not to be trusted.
        UnreachableError: The connection broke.
    """
    command = _program(layout, python, "outputs", ["--run-dir", layout.run_folder, *flags])
    document = _document(session.run(command, timeout_seconds=_LIST_SECONDS).stdout)
    listed, copied, missing = (document.get(key) for key in ("files", "copied", "missing"))
    if not isinstance(listed, dict) or not isinstance(copied, list) or not isinstance(missing, list):
        raise TransferError("the machine does not say what it has beside the model")
    files = tuple(file_digest(path, entry) for path, entry in listed.items())
    if odd := next((file.path for file in files if not file.path.startswith(_PLACES)), None):
        raise TransferError(f"the machine offers a file that was not asked for: {odd!r}")
    check_manifest(files)
    return Outputs(
        tuple(file for file in files if file.path not in copied),
        tuple(file for file in files if file.path in copied),
        tuple(step for step in missing if isinstance(step, int)),
    )


def fetch_outputs(
    session: Session,
    layout: RunLayout,
    outputs: Outputs,
    target: Path,
    *,
    progress: TransferProgress | None = None,
    limit_bytes_per_second: float | None = None,
) -> None:
    """Bring them into the folder `target` here, each verified; what is here already and right is not fetched again.

    Raises:
        TransferError: One is not what the machine said, or does not fit.
        UnreachableError: The connection broke.
    """
    for source, files in ((layout.path("outputs"), outputs.copies), (layout.run_folder, outputs.files)):
        fetch_tree(
            session, source, target, files, progress=progress, limit_bytes_per_second=limit_bytes_per_second
        )  # fmt: skip


def read_delivered(session: Session, layout: RunLayout) -> Delivered | None:
    """What the machine's own delivery has left word of; None without."""
    done = session.run(Command.of("cat", layout.path("control", "delivered")), check=False)
    return _delivered(done.stdout) if done.exit_code == 0 else None


def deliver(
    session: Session,
    layout: RunLayout,
    python: str,
    flags: Sequence[str],
    *,
    place: str,
    secrets: Mapping[str, str],
) -> Delivered:
    """Have the machine bring everything to blob storage now. Repeatable; what is there already is not sent again.

    Args:
        session: The machine.
        layout: The run.
        python: The training environment's python.
        flags: What is promised beside the model.
        place: `az://ACCOUNT/CONTAINER/PREFIX`.
        secrets: What opens the account; on standard input only.

    Raises:
        TransferError: The account refuses.
        UnreachableError: The connection broke.
    """
    words = ["--run-dir", layout.run_folder, "--to", place, *flags, "--now"]
    command = _program(layout, python, "deliver", words)
    told = json.dumps(dict(secrets)).encode() + b"\n"
    done = session.run(command, stdin=told, timeout_seconds=_DELIVER_SECONDS, check=False)
    delivered = _delivered(done.stdout) if done.exit_code == 0 else None
    if delivered is None:
        raise TransferError(f"cannot deliver to {place}: {_trouble(done.stdout, done.stderr)}", hint=_DENIED_HINT)
    return delivered


def _program(layout: RunLayout, python: str, name: str, words: Sequence[str]) -> Command:
    program = Command.of(python, "-m", f"templates.training.{name}", *words)
    return program.with_environment({"PYTHONPATH": layout.trainer_zipapp})


def _delivered(data: bytes) -> Delivered | None:
    document = _document(data)
    sha256, files, size = (document.get(key) for key in ("manifest_sha256", "files", "bytes"))
    if isinstance(sha256, str) and isinstance(files, int) and isinstance(size, int):
        return Delivered(sha256, files, size)
    return None


def _document(data: bytes) -> dict[str, Any]:
    lines = data.strip().splitlines()
    try:
        document = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        document = None
    return document if isinstance(document, dict) else {}


def _trouble(output: bytes, errors: bytes) -> str:
    said = _document(output).get("error")
    lines = errors.decode(errors="replace").strip().splitlines()
    return printable(str(said)) if said else printable(lines[-1] if lines else "the program failed on the machine")
