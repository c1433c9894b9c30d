"""One file of the web: what its server says of it, and its bytes from any place where the server can do that."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import urllib3

from templates.training.pull.errors import ChangedError, PassingError, PullError
from templates.training.pull.ranges import CONNECTIONS, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_REDIRECTS = 10
_TIMEOUT = urllib3.Timeout(connect=20.0, read=30.0)
_CHUNK_BYTES = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Nothing listens to these but this computer itself: what no network carries needs no encryption.
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_REPR_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
_GOOG_MD5 = re.compile(r"md5=([A-Za-z0-9+/=]+)")
_KINDS = {401: "denied", 403: "denied", 404: "missing", 410: "missing"}


@dataclass(frozen=True, slots=True)
class _Told:
    """What a server says of a file."""

    size: int | None
    etag: str
    modified: str
    digests: Mapping[str, str]
    has_ranges: bool


def web_file(url: str, path: str, *, sha256: str | None = None, pool: urllib3.PoolManager | None = None) -> RemoteFile:
    """Ask for a file of the web.

    Args:
        url: Its `https://` address; `http://` only on this very machine.
        path: Its name below the target.
        sha256: What it must be, in hex; otherwise what the server says of its content counts.
        pool: Connections to use.

    Raises:
        PullError: It is not there, not allowed, or not to be had safely.
    """
    pool = pool or urllib3.PoolManager(maxsize=CONNECTIONS, retries=False, timeout=_TIMEOUT)
    told = _ask(pool, url)
    digests = {"sha256": sha256} if sha256 else dict(told.digests)

    def read(start: int, end: int) -> Iterator[bytes]:
        return _read(pool, url, told, start, end)

    if told.size is None:
        raise PullError("other", f"the server does not say how large it is: {shown(url)}")
    # A weak ETag says that it looks the same, not that it is.
    version = told.etag if told.etag and not told.etag.startswith("W/") else f"{told.modified}/{told.size}"
    return RemoteFile(path, told.size, f"{shown(url)} {version}", digests, read, told.has_ranges)


def shown(url: str) -> str:
    """An address without its query, in which a signature may stand that lets anybody in."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _ask(pool: urllib3.PoolManager, url: str) -> _Told:
    """First HEAD, which tells digests of the whole; then for the first byte, if that did not tell everything."""
    digests: Mapping[str, str] = {}
    with _answered(pool, "HEAD", url) as response:
        if response.status == 200:
            head = _told(response, _number(response.headers.get("Content-Length")))
            if head.size is not None and (head.has_ranges or head.size == 0):
                return head
            digests = head.digests
    with _answered(pool, "GET", url, {"Range": "bytes=0-0"}) as response:
        _refuse(response, url)
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status == 206 and found and found[3] != "*":
            return replace(_told(response, int(found[3]), is_part=True), digests=digests)
        return _told(response, _number(response.headers.get("Content-Length")))


def _told(response: urllib3.BaseHTTPResponse, size: int | None, *, is_part: bool = False) -> _Told:
    headers = response.headers
    return _Told(
        size=size,
        etag=headers.get("ETag", ""),
        modified=headers.get("Last-Modified", ""),
        digests={} if is_part else _digests(headers),
        has_ranges=is_part or headers.get("Accept-Ranges", "").lower() == "bytes",
    )


def _digests(headers: Mapping[str, str]) -> dict[str, str]:
    """RFC 9530's Repr-Digest, and the MD5 that storage services keep of what was put there."""
    found = _REPR_DIGEST.search(headers.get("Repr-Digest", ""))
    if found and (sha256 := _hex(found[1], 32)):
        return {"sha256": sha256}
    goog = _GOOG_MD5.search(headers.get("x-goog-hash", ""))
    md5 = _hex(headers.get("Content-MD5", "") or (goog[1] if goog else ""), 16)
    return {"md5": md5} if md5 else {}


def _hex(text: str, length: int) -> str:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return data.hex() if len(data) == length else ""


def _read(pool: urllib3.PoolManager, url: str, told: _Told, start: int, end: int) -> Iterator[bytes]:
    headers = {}
    if told.has_ranges:
        headers["Range"] = f"bytes={start}-{end - 1}"
        if told.etag and not told.etag.startswith("W/"):
            headers["If-Range"] = told.etag
    with _answered(pool, "GET", url, headers) as response:
        _refuse(response, url)
        _check_same(response, told, url)
        if told.has_ranges:
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if response.status != 206 or found is None:
                # With If-Range this is how a server says that the file is another one now.
                raise ChangedError(shown(url))
            if (int(found[1]), int(found[2])) != (start, end - 1):
                raise PassingError(f"the server answered with other bytes than it was asked for: {found[0]}")
        try:
            yield from response.stream(_CHUNK_BYTES, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise PassingError(_words(error)) from error


def _check_same(response: urllib3.BaseHTTPResponse, told: _Told, url: str) -> None:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    size = int(found[3]) if found and found[3] != "*" else told.size
    if response.status == 200:
        size = _number(response.headers.get("Content-Length"))
    if response.headers.get("ETag", told.etag) != told.etag or size != told.size:
        raise ChangedError(shown(url))


def _refuse(response: urllib3.BaseHTTPResponse, url: str) -> None:
    if response.status in {200, 206}:
        return
    words = f"the server answers {response.status} to: {shown(url)}"
    if response.status in {408, 429} or response.status >= 500:
        raise PassingError(words)
    if response.status == 416:
        raise ChangedError(shown(url))
    raise PullError(_KINDS.get(response.status, "other"), words)


@contextmanager
def _answered(
    pool: urllib3.PoolManager, method: str, url: str, headers: Mapping[str, str] | None = None
) -> Iterator[urllib3.BaseHTTPResponse]:
    """The answer of whoever is asked in the end; a redirect may not lead away from encryption."""
    is_local = urlsplit(url).hostname in _LOOPBACK
    asked = {"Accept-Encoding": "identity", "User-Agent": "llamalift", **(headers or {})}
    for _ in range(_MOST_REDIRECTS):
        _refuse_open(url, is_local=is_local)
        try:
            response = pool.request(method, url, headers=asked, redirect=False, preload_content=False)
        except urllib3.exceptions.SSLError as error:
            raise PullError("network", f"its certificate cannot be trusted: {shown(url)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise PassingError(_words(error)) from error
        place = response.headers.get("Location")
        if response.status in _REDIRECTS and place:
            response.close()
            url = urljoin(url, place)
            continue
        try:
            yield response
        finally:
            _give_back(response, is_empty=method == "HEAD")
        return
    raise PullError("other", f"it leads from one address to the next without end: {shown(url)}")


def _give_back(response: urllib3.BaseHTTPResponse, *, is_empty: bool) -> None:
    """A connection with nothing left in it serves once more; one that still carries a file is closed."""
    left = getattr(response, "length_remaining", None)
    if is_empty or (left is not None and left <= _CHUNK_BYTES):
        response.drain_conn()
        response.release_conn()
    else:
        response.close()


def _refuse_open(url: str, *, is_local: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_local and parts.hostname in _LOOPBACK):
        return
    raise PullError("hostile", f"it leads to an address that is not encrypted: {shown(url)}")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _words(error: Exception) -> str:
    # The library's own words hold whole addresses, with signatures.
    return f"the connection broke ({type(error).__name__})"
