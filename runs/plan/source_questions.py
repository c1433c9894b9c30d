"""What a source says to one or two small requests: is it there, may the run have it, how large is it.

Asked with the secrets that the machine will have, and with no others: what works here for another reason fails there.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from runs.plan.small_requests import MOST_BYTES, Answer, UnknownError, request
from runs.pulling import git_secret
from runs.spec.sources import BlobSource, GitSource, HubSource, WebSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runs.spec.sources import RemoteSource

_HUB = "https://huggingface.co"
_NAME_TOKEN = "name HF_TOKEN under secrets: in the run file"  # noqa: S105 - words
_BLOB_API = "2023-11-03"
_COMMIT_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Found:
    """A source that can be had.

    Attributes:
        size_bytes: How large; None when it does not say.
        files: How many files; None when it does not say.
        note: What is worth knowing.
    """

    size_bytes: int | None = None
    files: int | None = None
    note: str = ""


class RefusedError(Exception):
    """It will not work as the run file has it; the words say what to change."""


def ask(source: RemoteSource, text: str, secrets: Mapping[str, str]) -> Found:
    """Ask one source.

    Args:
        source: What to ask for.
        text: Its address as the run file has it.
        secrets: Those secrets of the run that are known here.

    Raises:
        RefusedError: It is not there, or the run may not have it.
        UnknownError: It does not answer, or cannot be asked from here.
    """
    match source:
        case HubSource():
            return _hub(source, secrets.get("HF_TOKEN", ""))
        case WebSource(url):
            return _web(url)
        case BlobSource():
            return _blob(source, text, secrets)
        case GitSource():
            return _git(source, secrets.get(git_secret(source.url), ""))


def _hub(source: HubSource, token: str) -> Found:
    base = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    kind, revision = ("datasets" if source.is_dataset else "models"), quote(source.revision or "main", safe="")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    about = request("GET", f"{base}/api/{kind}/{source.repository}/revision/{revision}?blobs=true", headers)
    _refuse_hub(about, source, has_token=bool(token))
    rows = about.json().get("siblings") or []
    sizes = {str(row.get("rfilename")): row.get("size") for row in rows if isinstance(row, dict)}
    if source.file and source.file not in sizes:
        raise RefusedError(f"the repository has no such file: {source.file}")
    # A gated repository shows its list to everybody, and its content to those who accepted its terms.
    wanted = [source.file] if source.file else list(sizes)
    probe = source.file or ("config.json" if "config.json" in sizes else next(iter(sizes), None))
    if probe is not None:
        prefix = "datasets/" if source.is_dataset else ""
        place = f"{base}/{prefix}{source.repository}/resolve/{revision}/{quote(probe)}"
        _refuse_hub(request("HEAD", place, headers), source, has_token=bool(token))
    known = [sizes[path] for path in wanted]
    total = sum(size for size in known if isinstance(size, int)) if all(isinstance(one, int) for one in known) else None
    return Found(total, len(wanted))


def _refuse_hub(answer: Answer, source: HubSource, *, has_token: bool) -> None:
    code = answer.headers.get("X-Error-Code", "")
    where = f"https://huggingface.co/{'datasets/' if source.is_dataset else ''}{source.repository}"
    if code == "GatedRepo" or (answer.status == 403 and not code):
        way = "with the account of HF_TOKEN" if has_token else f"and {_NAME_TOKEN}"
        raise RefusedError(f"gated: accept its terms on {where} {way}")
    if code == "RevisionNotFound":
        raise RefusedError(f"the repository has no such branch, tag or commit: {source.revision or 'main'}")
    if code == "EntryNotFound":
        raise RefusedError(f"the repository has no such file: {source.file}")
    if code == "RepoNotFound" or answer.status in {401, 404}:
        way = "HF_TOKEN may not see it" if has_token else f"a private one needs a token: {_NAME_TOKEN}"
        raise RefusedError(f"the Hub has no such repository, or {way}")
    _refuse_silence(answer)


def _web(url: str) -> Found:
    answer = request("HEAD", url, {"Accept-Encoding": "identity"}, follow=True)
    if answer.status in {400, 403, 405, 501}:
        # Some servers, and addresses made for one method, know no HEAD.
        answer = request("GET", url, {"Range": "bytes=0-0", "Accept-Encoding": "identity"}, follow=True)
    _refuse_status(answer, "the server")
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length", "")
    return Found(int(whole) if whole.isdigit() else None, 1)


def _blob(source: BlobSource, text: str, secrets: Mapping[str, str]) -> Found:
    endpoint, signature = _blob_access(source, secrets)
    query = f"restype=container&comp=list&maxresults=1&prefix={quote(source.path, safe='')}&{signature}"
    answer = request("GET", f"{endpoint}/{source.container}?{query}", {"x-ms-version": _BLOB_API})
    _refuse_status(answer, "the storage account")
    if b"<Blob>" not in answer.body:
        raise RefusedError(f"there is nothing in the storage account under: {text}")
    return Found()


def _blob_access(source: BlobSource, secrets: Mapping[str, str]) -> tuple[str, str]:
    """Where to ask, and with what: only a signature can be shown from here."""
    parts = dict(
        part.partition("=")[::2] for part in secrets.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";") if part
    )
    signature = parts.get("SharedAccessSignature") or secrets.get("AZURE_STORAGE_SAS_TOKEN", "")
    if parts and parts.get("AccountName", source.account) != source.account:
        raise RefusedError(
            f"AZURE_STORAGE_CONNECTION_STRING is not of the account {source.account}: {parts['AccountName']}"
        )
    if not signature:
        who = "by its key" if parts else "by its identity, which needs the role Storage Blob Data Reader there"
        raise UnknownError(f"the machine signs in {who}")
    endpoint = parts.get("BlobEndpoint") or f"https://{source.account}.blob.core.windows.net"
    return endpoint.rstrip("/"), signature.removeprefix("?")


def _git(source: GitSource, token: str) -> Found:
    name = git_secret(source.url)
    headers = {}
    if token:
        headers["Authorization"] = "Basic " + base64.b64encode(f"llamalift:{token}".encode()).decode()
    answer = request("GET", f"{source.url.rstrip('/')}/info/refs?service=git-upload-pack", headers, follow=True)
    if answer.status in {401, 403, 404}:
        way = f"{name} may not see it" if token else f"a private one needs a token: name {name} under secrets:"
        raise RefusedError(f"there is no such repository, or {way}")
    _refuse_status(answer, "the server")
    revision = source.revision
    if revision and len(revision) != _COMMIT_LENGTH and len(answer.body) < MOST_BYTES:
        names = {line.split(b"\0")[0].rpartition(b" ")[2].strip() for line in answer.body.split(b"\n")}
        wanted = {f"refs/heads/{revision}".encode(), f"refs/tags/{revision}".encode(), revision.encode()}
        if not wanted & names:
            raise RefusedError(f"the repository has no such branch or tag: {revision}")
    return Found()


def _refuse_status(answer: Answer, who: str) -> None:
    if answer.status in {401, 403}:
        raise RefusedError(f"{who} does not let the run have it (it answers {answer.status})")
    if answer.status in {404, 410}:
        raise RefusedError(f"{who} says that it is not there (it answers {answer.status})")
    _refuse_silence(answer)


def _refuse_silence(answer: Answer) -> None:
    if answer.status >= 400:
        raise UnknownError(f"it answers {answer.status} for now")
