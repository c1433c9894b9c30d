"""What the machine is asked to fetch for a source of the run file, and with which of the user's secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runs.spec.sources import BlobSource, GitSource, HubSource, WebSource
from templates.training.pull import GIT_SECRET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remote.pull import PullRequest
    from runs.spec.sources import RemoteSource

BLOB_SECRETS = ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN")
HUB_SECRET, GIT_SECRET = "HF_TOKEN", "GIT_TOKEN"
_HUB_HOST = "huggingface.co"


def pull_request(
    text: str,
    source: RemoteSource,
    secrets: Mapping[str, str],
    *,
    sha256: str | None = None,
    ignore: Sequence[str] = (),
    is_model: bool = False,
) -> PullRequest:
    """Say what the machine must know to fetch a source. It gets those secrets alone that this kind of source needs.

    Args:
        text: The address as the run file has it.
        source: The same, taken apart.
        secrets: The run's secrets.
        sha256: What one file must be.
        ignore: What is left out.
        is_model: Of a model in several formats only safetensors is fetched.
    """
    from remote.pull import PullRequest

    kind, words = _words(text, source)
    unpack = isinstance(source, WebSource) and is_model
    more = {"sha256": sha256, "is_model": is_model, "unpack": unpack}
    if isinstance(source, HubSource):
        more["token"] = secrets.get(HUB_SECRET)
    return PullRequest(text, kind, {**words, **more}, _secrets_for(source, secrets), ignore)


def git_secret(url: str) -> str:
    """The name of the secret that a server of git is shown: the Hub's own, or GIT_TOKEN."""
    host = urlsplit(url).hostname
    hubs = {_HUB_HOST, urlsplit(os.environ.get("HF_ENDPOINT", "")).hostname}
    return HUB_SECRET if host in hubs else GIT_SECRET


def _words(text: str, source: RemoteSource) -> tuple[str, dict[str, Any]]:
    match source:
        case HubSource():
            from remote.hub import parse_hub_uri

            uri = parse_hub_uri(text)
            named = {"repo_type": uri.repo_type, "repo_id": uri.repo_id, "revision": uri.revision, "file": uri.file}
            return "hub", named
        case WebSource(url, name):
            return "web", {"url": url, "name": name}
        case BlobSource():
            return "blob", {"url": text}
        case GitSource(url, revision, file):
            return "git", {"url": url, "revision": revision, "file": file}


def _secrets_for(source: RemoteSource, secrets: Mapping[str, str]) -> dict[str, str]:
    if isinstance(source, BlobSource):
        return {name: secrets[name] for name in BLOB_SECRETS if name in secrets}
    if isinstance(source, GitSource) and (token := secrets.get(git_secret(source.url))):
        return {GIT_SECRET_VARIABLE: token}
    return {}
