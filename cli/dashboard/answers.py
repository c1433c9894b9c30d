"""What is sent to the browser: pages from their files, curves as JSON, and nothing twice."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from cli.words import age, cents, clock, dollars, duration, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request


@cache
def _pages() -> Environment:
    """Whatever a page shows is text: everything is escaped, and nothing is ever marked as safe."""
    pages = Environment(
        loader=PackageLoader("cli.dashboard", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters |= {
        "age": age, "cents": cents, "clock": clock, "dollars": dollars, "duration": duration, "size": size,
    }  # fmt: skip
    pages.globals["version"] = assets_version()
    return pages


@cache
def assets_version() -> str:
    """Changes with any of the page's own files: an open page that finds another one loads itself anew."""
    digest = hashlib.sha256()
    for file in sorted(files("cli.dashboard").joinpath("assets").iterdir(), key=lambda file: file.name):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def page(request: Request, name: str, values: Mapping[str, object], *, status: int = 200) -> Response:
    """A page, or the part of one, from its file in `pages`."""
    body = _pages().get_template(name).render(values).encode()
    tag = _tag(body)
    if status == 200 and request.headers.get("if-none-match") == tag:
        return _nothing_new(tag)
    return Response(body, status_code=status, media_type="text/html; charset=utf-8", headers=_headers(tag))


def data(request: Request, version: object, make: Callable[[], object]) -> Response:
    """JSON, made only for a browser that has not this `version` of what it asks for."""
    tag = _tag(f"{version!r} {request.url.query}".encode())
    if request.headers.get("if-none-match") == tag:
        return _nothing_new(tag)
    body = json.dumps(make(), separators=(",", ":")).encode()
    return Response(body, media_type="application/json", headers=_headers(tag))


def _nothing_new(tag: str) -> Response:
    return Response(status_code=304, headers=_headers(tag))


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:20]}"'


def _headers(tag: str) -> dict[str, str]:
    return {"etag": tag, "x-assets": assets_version()}
