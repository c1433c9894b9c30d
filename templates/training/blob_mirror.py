"""Checkpoints in Azure blob storage: a second home, should the workspace disk be lost.

Blobs lie under `PREFIX/checkpoint-N/`; the manifest is written last and removed first, so that a checkpoint without
one does not count. Each blob's metadata carries the SHA-256 of its content, by which an interrupted upload is taken up.

Who may: with `AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_SAS_TOKEN` in the environment that, else the machine's
managed identity, which then needs the role Storage Blob Data Contributor on the container.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient

from templates.agent.manifest import NAME, check_manifest, read_manifest, write_manifest
from templates.training.checkpoints import fsync_folder, staging_folder
from templates.training.errors import DamagedCopyError, MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_URL = re.compile(r"az://(?P<account>[^/]+)/(?P<container>[^/]+)/?(?P<prefix>.*)")
_MANIFEST = re.compile(r"checkpoint-(\d+)/" + re.escape(NAME))
_CHECKPOINT = re.compile(r"checkpoint-(\d+)/")
# Measured with Azurite on two cores: 8 connections of 8 MiB were the fastest, and hold 64 MiB of memory.
_CONNECTIONS, _BLOCK_BYTES = 8, 8 << 20
_DIGEST = "sha256"


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Raise whatever the SDK raises as a MirrorError: its first line, since the rest is for those who debug it."""
    try:
        yield
    except (AzureError, ValueError) as error:
        raise MirrorError(str(error).strip().partition("\n")[0]) from error


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
        match = _URL.fullmatch(url)
        if match is None:
            raise MirrorError(f"not az://ACCOUNT/CONTAINER/PREFIX: {url}")
        container = _service(match["account"]).get_container_client(match["container"])
        if not container.exists():
            try:
                container.create_container()
            except ResourceExistsError:
                # Another machine was quicker.
                return cls(container, match["prefix"])
        return cls(container, match["prefix"])

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
                self._container.download_blob(blob.name, max_concurrency=_CONNECTIONS).readinto(file)
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
        self._container.upload_blob(
            name, data, overwrite=True, metadata={_DIGEST: digest}, max_concurrency=_CONNECTIONS
        )


def _service(account: str) -> BlobServiceClient:
    sizes: dict[str, Any] = {
        "max_block_size": _BLOCK_BYTES,
        "max_single_put_size": _BLOCK_BYTES,
        "max_chunk_get_size": _BLOCK_BYTES,
    }
    if connection := os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
        service = BlobServiceClient.from_connection_string(connection, **sizes)
        if service.account_name != account:
            raise MirrorError(
                f"AZURE_STORAGE_CONNECTION_STRING is not of the account {account}: {service.account_name}"
            )
        return service
    url = f"https://{account}.blob.core.windows.net"
    if token := os.environ.get("AZURE_STORAGE_SAS_TOKEN"):
        return BlobServiceClient(url, credential=token.removeprefix("?"), **sizes)
    from azure.identity import ManagedIdentityCredential

    return BlobServiceClient(url, credential=ManagedIdentityCredential(), **sizes)
