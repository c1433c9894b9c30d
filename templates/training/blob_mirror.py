"""Checkpoints in Azure blob storage: a second home, should the workspace disk be lost.

Blobs lie under `PREFIX/checkpoint-N/`; the manifest is written last and removed first, so that a checkpoint without
one does not count. Each blob's metadata carries the SHA-256 of its content, by which an interrupted upload is taken up.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ResourceExistsError

from templates.agent.manifest import NAME, check_manifest, read_manifest, write_manifest
from templates.training.blob_account import CONNECTIONS, first_line, open_container
from templates.training.checkpoints import fsync_folder, staging_folder
from templates.training.errors import DamagedCopyError, MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.storage.blob import ContainerClient

_MANIFEST = re.compile(r"checkpoint-(\d+)/" + re.escape(NAME))
_CHECKPOINT = re.compile(r"checkpoint-(\d+)/")
_DIGEST = "sha256"


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Raise whatever the SDK raises as a MirrorError: its first line, since the rest is for those who debug it."""
    try:
        yield
    except (AzureError, ValueError) as error:
        raise MirrorError(first_line(error)) from error


class BlobMirror:
    """The copies of one run's checkpoints under a prefix."""

    def __init__(self, container: ContainerClient, prefix: str) -> None:
        """Use `prefix` in a container that is there."""
        self._container = container
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @classmethod
    @_in_our_words()
    def open(cls, url: str) -> BlobMirror:
        """Open `az://ACCOUNT/CONTAINER/PREFIX`; the container is made where it is missing.

        Raises:
            MirrorError: It is no such address, the connection string is another account's, or the account does not
                answer or let us.
        """
        container, prefix = open_container(url)
        if not container.exists():
            try:
                container.create_container()
            except ResourceExistsError:
                # Another machine was quicker.
                return cls(container, prefix)
        return cls(container, prefix)

    @_in_our_words()
    def steps(self) -> list[int]:
        """The steps of the complete copies, newest first."""
        return sorted((int(match[1]) for name in self._names() if (match := _MANIFEST.fullmatch(name))), reverse=True)

    @_in_our_words()
    def upload(self, folder: Path) -> int:
        """Copy a complete checkpoint; give the bytes that were sent. What is there already is not sent again.

        Raises:
            FileNotFoundError: It was pruned meanwhile.
            ManifestError: It is not complete.
            MirrorError: The account refused.
        """
        place = f"{self._prefix}{folder.name}/"
        sent = 0
        there = {
            blob.name: (blob.size, (blob.metadata or {}).get(_DIGEST))
            for blob in self._container.list_blobs(name_starts_with=place, include=["metadata"])
        }
        for name, entry in read_manifest(folder)["files"].items():
            if there.get(f"{place}{name}") == (entry["size"], entry["sha256"]):
                continue
            with (folder / name).open("rb") as file:
                self._put(f"{place}{name}", file, str(entry["sha256"]))
            sent += int(entry["size"])
        manifest = (folder / NAME).read_bytes()
        self._put(f"{place}{NAME}", manifest, hashlib.sha256(manifest).hexdigest())
        return sent + len(manifest)

    @_in_our_words()
    def download(self, step: int, target: Path) -> None:
        """Bring a copy to `target`, which must not be there, complete under its name when this returns.

        Raises:
            DamagedCopyError: What came is not what its manifest says; nothing of it stays.
            MirrorError: The account refused.
        """
        staging = staging_folder(target)
        shutil.rmtree(staging, ignore_errors=True)
        written = staging / target.name
        place = f"{self._prefix}checkpoint-{step}/"
        for blob in self._container.list_blobs(name_starts_with=place):
            path = written / blob.name.removeprefix(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                self._container.download_blob(blob.name, max_concurrency=CONNECTIONS).readinto(file)
        if problems := check_manifest(written):
            shutil.rmtree(staging)
            raise DamagedCopyError(f"checkpoint-{step} in blob storage is damaged: {problems[0]}")
        # The same words again: what counts is that everything is on the disk before they are.
        write_manifest(written, read_manifest(written))
        written.rename(target)
        fsync_folder(target.parent)
        shutil.rmtree(staging)

    @_in_our_words()
    def prune(self, keep: int) -> list[int]:
        """Remove all but the `keep` newest complete copies, and half copies older than the newest complete one."""
        complete = self.steps()
        if not complete:
            return []
        kept = set(complete[: max(1, keep)])
        old = sorted({step for step in self._all_steps() if step not in kept and step < complete[0]})
        for step in old:
            self._remove(step)
        return old

    def _remove(self, step: int) -> None:
        place = f"{self._prefix}checkpoint-{step}/"
        names = [blob.name for blob in self._container.list_blobs(name_starts_with=place)]
        for name in sorted(names, key=lambda name: name != f"{place}{NAME}"):
            self._container.delete_blob(name)

    def _all_steps(self) -> set[int]:
        return {int(match[1]) for name in self._names() if (match := _CHECKPOINT.match(name))}

    def _names(self) -> Iterator[str]:
        for blob in self._container.list_blobs(name_starts_with=f"{self._prefix}checkpoint-"):
            yield blob.name.removeprefix(self._prefix)

    def _put(self, name: str, data: Any, digest: str) -> None:  # noqa: ANN401 (bytes or a file, as the SDK takes them)
        self._container.upload_blob(name, data, overwrite=True, metadata={_DIGEST: digest}, max_concurrency=CONNECTIONS)
