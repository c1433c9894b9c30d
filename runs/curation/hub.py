"""Fetch a data set of the Hugging Face Hub to this computer, each file checked against the Hub's own digest.

The Hub's client is part of the machine's environment, not of ours; what a data set needs of it is two requests.
`HF_ENDPOINT` names another Hub and `HF_TOKEN` signs in, as they do for that client.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

from runs.errors import SpecError
from templates.curation.inputs import SUFFIXES, data_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPMessage
    from pathlib import Path
    from typing import IO

    from runs.curation.curating import CurationProgress
    from runs.spec.sources import HubSource

_CHUNK_BYTES = 1 << 20
_SILENCE_SECONDS = 60.0
_HUB = "https://huggingface.co"
_NEXT = re.compile(r'<([^>]+)>; *rel="next"')
_WHY = {
    401: "there is no such repository, or it is private",
    403: "its owner gives it only to those who accepted its terms",
}


class _Elsewhere(HTTPRedirectHandler):
    """The Hub's storage is another host: what signs in to the Hub is not for it."""

    def redirect_request(  # noqa: PLR0917 (urllib's)
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.remove_header("Authorization")
        return following


_OPENER = build_opener(_Elsewhere)


def fetch(source: HubSource, folder: Path, progress: CurationProgress) -> Path:
    """Fetch a data set, or one file of it, into a folder, and give where it is.

    Raises:
        SpecError: It is not there, may not be read, or did not arrive as the Hub has it.
    """
    endpoint = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    repository, revision = quote(source.repository), quote(source.revision or "main", safe="")
    tree = {entry["path"]: entry for entry in _tree(f"{endpoint}/api/datasets/{repository}/tree/{revision}", source)}
    wanted = [source.file] if source.file else list(data_files(tree))
    if not wanted or wanted[0] not in tree:
        missing = source.file or f"a {', '.join(SUFFIXES)} file"
        raise SpecError(f"not in the data set {source.repository}: {missing}")
    total, done = sum(tree[path]["size"] for path in wanted), 0
    for path in wanted:
        url = f"{endpoint}/datasets/{repository}/resolve/{revision}/{quote(path)}"
        for count in _fetched(url, folder / path, tree[path]):
            done += count
            progress("fetching", done, total)
    return folder / source.file if source.file else folder


def _tree(url: str, source: HubSource) -> Iterator[dict[str, Any]]:
    following: str | None = f"{url}?recursive=true"
    while following:
        with _open(following, source.repository) as answer:
            yield from (entry for entry in json.load(answer) if entry["type"] == "file")
            link = _NEXT.search(answer.headers.get("Link", ""))
        following = link[1] if link else None


def _fetched(url: str, target: Path, entry: Mapping[str, Any]) -> Iterator[int]:
    """Fetch a file, and yield the bytes of each part that came."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lfs = entry.get("lfs")
    # Large files are known by their SHA-256, small ones by the SHA-1 that git gives a blob.
    digest = hashlib.sha256() if lfs else hashlib.sha1(b"blob %d\0" % entry["size"], usedforsecurity=False)
    with _open(url, target.name) as answer, target.open("wb") as file:
        while data := answer.read(_CHUNK_BYTES):
            digest.update(data)
            file.write(data)
            yield len(data)
    if digest.hexdigest() != (lfs["oid"] if lfs else entry["oid"]):
        raise SpecError(f"did not arrive as the Hub has it: {target.name}", hint="try again")


def _open(url: str, what: str) -> Any:  # noqa: ANN401 (urllib's answer)
    headers = {"User-Agent": "llamalift"}
    if token := os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    try:
        return _OPENER.open(Request(url, headers=headers), timeout=_SILENCE_SECONDS)  # noqa: S310 (http or https only)
    except HTTPError as error:
        why = _WHY.get(error.code, f"the Hub says {error.code}")
        hint = "export HF_TOKEN with a token that may read it" if error.code in _WHY else "look at its page on the Hub"
        raise SpecError(f"cannot fetch from the Hub, {why}: {what}", hint=hint) from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise SpecError(f"the Hub does not answer ({reason}): {url}", hint="try again, or name a local file") from error
