"""What others made and the dashboard ships: byte for byte as published, with its licence, and in the wheel."""

from __future__ import annotations

import hashlib
from importlib.resources import files

ASSETS = files("cli.dashboard") / "assets"
# From the npm packages uplot 1.6.32 (MIT) and htmx.org 4.0.1 (Zero-Clause BSD).
PUBLISHED = {
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "htmx.LICENSE.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
    "uPlot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
OURS = {"dashboard.css", "dashboard.js", "icon.svg", "plots.js", "theme.js"}


def test_they_are_as_published() -> None:
    """No byte was changed, and nothing else was added."""
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in ASSETS.iterdir()}
    assert {name: digest for name, digest in found.items() if name not in OURS} == PUBLISHED
    assert set(found) >= OURS


def test_nothing_is_fetched_from_elsewhere() -> None:
    """The page works without a network: its own files name no other host."""
    pages = [file for file in (files("cli.dashboard") / "pages").iterdir() if file.name.endswith(".html")]
    ours = [file for file in ASSETS.iterdir() if file.name in OURS]
    assert len(pages) > 5
    for file in [*pages, *ours]:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file.name
        assert "https:" not in text, file.name
