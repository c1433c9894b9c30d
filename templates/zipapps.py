"""The two archives that go to the machine: the agent (runs by itself) and the trainer (put on PYTHONPATH).

Both keep the package path `templates.…`, so that the same modules are imported here, in tests and on the machine.
"""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from templates.lean import lean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

_MAIN = b"""\
import sys

from templates.agent.main import main

sys.exit(main())
"""
_SHEBANG = b"#!/usr/bin/env python3\n"
# The earliest date that a zip can hold: the same sources give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16
_UNIX = 3
_SHARED = ("__init__.py", "atomic.py", "disk.py", "errors.py", "manifest.py", "system.py")


@cache
def agent_zipapp() -> bytes:
    """The agent: one executable file for any Python from 3.10, standard library only, without comments to be small."""
    sources = {**_module("__init__.py"), **_package("agent"), "__main__.py": _MAIN}
    return _zipped({name: lean(source.decode()).encode() for name, source in sources.items()}, prefix=_SHEBANG)


def trainer_zipapp() -> bytes:
    """The trainer, what curates its data and what comes after it, with the modules that they share with the agent."""
    return _zipped(
        {
            **_module("__init__.py"),
            **{path: data for name in _SHARED for path, data in _module("agent", name).items()},
            **_package("training"),
            **_package("curation"),
            **_package("after"),
        }
    )


def _module(*parts: str) -> dict[str, bytes]:
    return {"/".join(("templates", *parts)): files("templates").joinpath(*parts).read_bytes()}


def _package(name: str) -> dict[str, bytes]:
    return dict(_walk(files("templates") / name, f"templates/{name}"))


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{path}/{entry.name}")
        else:
            yield f"{path}/{entry.name}", entry.read_bytes()


def _zipped(sources: Mapping[str, bytes], prefix: bytes = b"") -> bytes:
    target = io.BytesIO()
    target.write(prefix)
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = _UNIX
            entry.external_attr = _FILE_MODE
            archive.writestr(entry, sources[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return target.getvalue()
