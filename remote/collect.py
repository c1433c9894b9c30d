"""The finished model comes home: fetched by its manifest, every byte verified, every safetensors header opened."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from remote.command import Command
from remote.errors import CommandFailedError, TransferError
from remote.fetch import fetch_tree
from remote.paths import check_manifest
from remote.safetensors import check_safetensors, check_weights
from remote.types import FileDigest
from templates.agent import manifest as agent_manifest
from templates.agent.atomic import fsync_folder

if TYPE_CHECKING:
    from remote.layout import RunLayout
    from remote.session import Session
    from remote.types import TransferProgress

__all__ = ["Collected", "Manifest", "check_safetensors", "collect", "read_manifest"]

# A model has tens of files; a thousand of them make 150 KB.
_MAX_MANIFEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What makes a folder complete.

    Attributes:
        files: Every file of the folder, itself left out.
        sha256: SHA-256 of the manifest's own bytes: the model's name, so to speak.
        data: Those bytes.
    """

    files: tuple[FileDigest, ...]
    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Collected:
    """A model that is home and verified.

    Attributes:
        files: Its files, without the manifest.
        size_bytes: Their size.
        manifest_sha256: SHA-256 of its MANIFEST.json.
    """

    files: int
    size_bytes: int
    manifest_sha256: str


def read_manifest(session: Session, layout: RunLayout, folder: str) -> Manifest:
    """The manifest of a complete folder on the machine.

    Raises:
        TransferError: There is none, it is damaged, or its paths are not to be trusted.
    """
    if not folder.startswith(f"{layout.run_folder}/"):
        raise TransferError(f"not a folder of {layout.run_id}: {folder}")
    try:
        done = session.run(Command.of("head", "-c", str(_MAX_MANIFEST_BYTES), f"{folder}/{agent_manifest.NAME}"))
    except CommandFailedError as error:
        raise TransferError(
            f"the machine has no complete model here: {folder}", hint="`llamalift status RUN` says how far it is"
        ) from error
    files = _believed(done.stdout)
    check_manifest(files)
    return Manifest(files, hashlib.sha256(done.stdout).hexdigest(), done.stdout)


def collect(
    session: Session,
    layout: RunLayout,
    folder: str,
    target: Path,
    *,
    progress: TransferProgress | None = None,
    limit_bytes_per_second: float | None = None,
) -> Collected:
    """Bring a complete folder home and prove that it is whole; its MANIFEST.json is written last.

    Files that are here already and right are not fetched again, so it can be called until it succeeds.

    Args:
        session: The machine.
        layout: The run, whose folder `folder` must be in.
        folder: An absolute folder on the machine with a MANIFEST.json.
        target: A folder here: a new one, an empty one, or one of an earlier call.
        progress: Told how far it is.
        limit_bytes_per_second: The transfer takes no more of the line.

    Raises:
        TransferError: The model is not complete there, or not whole here, or `target` holds something else.
        UnreachableError: The connection broke.
    """
    manifest = read_manifest(session, layout, folder)
    mark = target / agent_manifest.NAME
    _refuse_others(target, manifest)
    if mark.exists() and mark.read_bytes() != manifest.data:
        mark.unlink()
    fetch_tree(
        session, folder, target, manifest.files, progress=progress, limit_bytes_per_second=limit_bytes_per_second
    )
    check_weights(target, [file.path for file in manifest.files])
    part = target / f".{agent_manifest.NAME}.part"
    with part.open("wb") as file:
        file.write(manifest.data)
        file.flush()
        # Teardown follows: what counts as home must be on the disk before the machine is gone.
        os.fsync(file.fileno())
    part.replace(mark)
    fsync_folder(target)
    return Collected(len(manifest.files), sum(file.size_bytes for file in manifest.files), manifest.sha256)


def _believed(data: bytes) -> tuple[FileDigest, ...]:
    """The manifest's files, after the agent's own checks of its schema and its seal."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / agent_manifest.NAME).write_bytes(data)
        try:
            files = agent_manifest.read_manifest(Path(folder))["files"]
        except (agent_manifest.ManifestError, RecursionError) as error:
            raise TransferError(f"the machine's manifest cannot be believed: {error}") from error
    return tuple(file_digest(path, entry) for path, entry in files.items())


def file_digest(path: str, entry: object) -> FileDigest:
    """A file as the machine describes it: its path, and an object with `size` and `sha256`.

    Raises:
        TransferError: It is not that.
    """
    size, digest = (entry.get("size"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
    if not isinstance(size, int) or isinstance(size, bool) or not isinstance(digest, str):
        raise TransferError(f"the machine's manifest has no valid size and SHA-256 for: {path!r}")
    return FileDigest(path, size, digest)


def _refuse_others(target: Path, manifest: Manifest) -> None:
    """Whoever loads a model takes what he finds: an older one's weights beside it could be loaded instead."""
    ours = {file.path.split("/")[0] for file in manifest.files} | {agent_manifest.NAME}
    entries = target.iterdir() if target.is_dir() else ()
    others = sorted(entry.name for entry in entries if entry.name not in ours and not entry.name.startswith("."))
    if others:
        raise TransferError(
            f"the folder holds files that are not of this model ({', '.join(others[:5])}): {target}",
            hint="move them away, then go on with `llamalift resume RUN`",
        )
