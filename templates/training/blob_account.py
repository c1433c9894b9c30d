"""Azure blob storage as this machine may use it.

Who may: with `AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_SAS_TOKEN` in the environment that, else the machine's
managed identity, which then needs the role Storage Blob Data Contributor on the container (Reader where it only reads).
"""

from __future__ import annotations

import os
import re
from typing import Any

from azure.storage.blob import BlobServiceClient, ContainerClient

from templates.training.errors import MirrorError

_URL = re.compile(r"az://(?P<account>[^/]+)/(?P<container>[^/]+)/?(?P<prefix>.*)")
# Measured with Azurite on two cores: 8 connections of 8 MiB were the fastest, and hold 64 MiB of memory.
CONNECTIONS, BLOCK_BYTES = 8, 8 << 20


def first_line(error: Exception) -> str:
    """What an error says, without the queries of web addresses: the signature of a SAS stands there."""
    return re.sub(r"\?[^\s'\"]*", "", str(error).strip().partition("\n")[0])


def open_container(url: str) -> tuple[ContainerClient, str]:
    """The container of `az://ACCOUNT/CONTAINER/PREFIX`, which may not be there, and the prefix. Asks nobody.

    Raises:
        MirrorError: It is no such address, or the connection string is another account's.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise MirrorError(f"not az://ACCOUNT/CONTAINER/PREFIX: {url}")
    return _service(match["account"]).get_container_client(match["container"]), match["prefix"]


def _service(account: str) -> BlobServiceClient:
    sizes: dict[str, Any] = {
        "max_block_size": BLOCK_BYTES,
        "max_single_put_size": BLOCK_BYTES,
        "max_chunk_get_size": BLOCK_BYTES,
        "max_single_get_size": BLOCK_BYTES,
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
