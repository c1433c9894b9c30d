"""Files of Azure blob storage: one blob, or all below a prefix."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from templates.agent.manifest import NAME, ManifestError, read_manifest
from templates.training.blob_account import first_line, open_container
from templates.training.errors import MirrorError
from templates.training.pull.errors import ChangedError, PassingError, PullError
from templates.training.pull.names import check_names
from templates.training.pull.ranges import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import BlobProperties, ContainerClient

_DIGEST = "sha256"
_MANIFEST_BYTES = 64 << 20


def blob_files(url: str) -> tuple[list[RemoteFile], bool]:
    """The files of `az://ACCOUNT/CONTAINER/PATH`, and whether it is one blob alone.

    What counts is our manifest beside them where there is one, else what each blob says of itself: the SHA-256 that we
    put there, or its MD5.

    Raises:
        PullError: There is nothing, it may not be read, or the manifest and the blobs disagree.
    """
    try:
        container, path = open_container(url)
    except (MirrorError, ValueError) as error:
        raise PullError("denied", first_line(error)) from error
    with _in_our_words(url):
        blobs = [one for one in container.list_blobs(name_starts_with=path, include=["metadata"]) if _is_file(one)]
    alone = next((one for one in blobs if one.name == path), None)
    if alone is not None:
        return [_file(container, alone, path.rpartition("/")[2], _told(alone))], True
    prefix = f"{path.strip('/')}/" if path.strip("/") else ""
    below = {one.name.removeprefix(prefix): one for one in blobs if one.name.startswith(prefix)}
    if not below:
        raise PullError("missing", f"there is nothing in the storage account under: {url}")
    check_names(below)
    listed = _manifest(container, below[NAME]) if NAME in below else {}
    if lost := sorted(set(listed) - set(below)):
        raise PullError("damaged", f"its manifest names what is not there: {lost[0]}")
    return [_file(container, one, name, _sum_of(one, listed.get(name))) for name, one in below.items()], False


def _file(container: ContainerClient, blob: BlobProperties, path: str, digests: dict[str, str]) -> RemoteFile:
    etag, name = str(blob.etag), str(blob.name)

    def read(start: int, end: int) -> Iterator[bytes]:
        with _in_our_words(name):
            # Without a digest of the whole, each range comes with its own.
            stream = container.download_blob(
                name, start, end - start, etag=etag, match_condition=MatchConditions.IfNotModified,
                validate_content=not digests, max_concurrency=1,
            )  # fmt: skip
            yield from stream.chunks()

    return RemoteFile(path, int(blob.size), f"{name} {etag}", digests, read)


def _sum_of(blob: BlobProperties, listed: dict[str, Any] | None) -> dict[str, str]:
    if listed is None:
        return _told(blob)
    if listed["size"] != blob.size:
        raise PullError("damaged", f"its manifest says {listed['size']} bytes, it has {blob.size}: {blob.name}")
    return {"sha256": str(listed["sha256"])}


def _told(blob: BlobProperties) -> dict[str, str]:
    if sha256 := (blob.metadata or {}).get(_DIGEST):
        return {"sha256": str(sha256)}
    md5 = blob.content_settings.content_md5
    return {"md5": bytes(md5).hex()} if md5 else {}


def _manifest(container: ContainerClient, blob: BlobProperties) -> dict[str, dict[str, Any]]:
    """The files of our manifest; a file of that name that is none of ours says nothing."""
    if blob.size > _MANIFEST_BYTES:
        return {}
    with _in_our_words(str(blob.name)):
        data = container.download_blob(blob.name).readall()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAME).write_bytes(data)
        try:
            files: dict[str, dict[str, Any]] = read_manifest(Path(folder))["files"]
        except ManifestError:
            try:
                is_ours = "seal_sha256" in json.loads(data)
            except (ValueError, TypeError):
                return {}
            if is_ours:
                raise PullError("damaged", f"its manifest is damaged: {blob.name}") from None
            return {}
    return files


def _is_file(blob: BlobProperties) -> bool:
    """Accounts with folders of their own list these as empty blobs."""
    return (blob.metadata or {}).get("hdi_isfolder") != "true" and not str(blob.name).endswith("/")


@contextmanager
def _in_our_words(what: str) -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundError as error:
        raise PullError("missing", f"there is no such container or blob: {what}") from error
    except ClientAuthenticationError as error:
        raise PullError("denied", f"the storage account does not let this machine in: {first_line(error)}") from error
    except HttpResponseError as error:
        if error.status_code == 412:
            raise ChangedError(what) from error
        if error.status_code in {401, 403}:
            raise PullError("denied", f"the storage account refuses: {first_line(error)}") from error
        raise PassingError(first_line(error)) from error
    except AzureError as error:
        raise PassingError(first_line(error)) from error
