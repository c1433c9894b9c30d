"""Addresses on the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from remote.errors import TransferError

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_URI = re.compile(rf"hf://(?P<kind>datasets/)?(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[^/]+))?(?:/(?P<file>.+))?")


@dataclass(frozen=True, slots=True)
class HubUri:
    """`hf://owner/name[@revision][/file]`, with `datasets/` before the owner for a data set.

    Attributes:
        repo_type: `model` or `dataset`.
        repo_id: `owner/name`.
        revision: Branch, tag or commit; None is the default branch.
        file: One file of it; None is all.
    """

    repo_type: str
    repo_id: str
    revision: str | None
    file: str | None


def parse_hub_uri(uri: str) -> HubUri:
    """Take a `hf://` address apart.

    Raises:
        TransferError: It is none.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise TransferError(
            f"not an address on the Hub: {uri}", hint="write hf://owner/name or hf://datasets/owner/name/file.json"
        )
    revision = match["revision"]
    return HubUri(
        repo_type="dataset" if match["kind"] else "model",
        repo_id=match["repo"],
        # A revision with a slash in it (refs/pr/1) is written refs%2Fpr%2F1.
        revision=unquote(revision) if revision else None,
        file=match["file"],
    )
