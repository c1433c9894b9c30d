"""Unpacking what came as one file. Links and everything that leads outside are refused by the standard library."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from templates.agent.atomic import read_json, write_json
from templates.agent.manifest import build_manifest
from templates.training.pull.digests import is_same
from templates.training.pull.errors import PullError
from templates.training.pull.names import STAGE, check_names

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "unpacked.json"
ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_unpacked(target: Path, version: str) -> bool:
    """Whether this very archive was unpacked there, and every file is what it was then."""
    known = read_json(target / STAGE / _MARK)
    if known is None or known.get("version") != version:
        return False
    return all(is_same(target / path, one["size"], {"sha256": one["sha256"]}) for path, one in known["files"].items())


def unpack(archive: Path, target: Path, version: str) -> None:
    """Unpack a tar file into `target`; a single folder that holds everything is left out of the paths.

    The files appear under their names when all are unpacked and on the disk; the archive is gone then.

    Args:
        archive: The file.
        target: Where to.
        version: What `is_unpacked` will know it by.

    Raises:
        PullError: It is damaged, it does not fit, or something in it leads outside, is a link or a device.
    """
    stage = target / STAGE / "unpacked"
    shutil.rmtree(stage, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            members = [one for one in tar.getmembers() if not one.isdir()]
            if odd := next((one for one in members if not one.isreg()), None):
                raise PullError("hostile", f"the archive holds something that is no file: {odd.name!r}")
            check_names([one.name.removeprefix("./") for one in members])
            needed, free = sum(one.size for one in members), shutil.disk_usage(target).free
            if needed > free:
                raise PullError("space", f"{needed} bytes do not fit, free are: {free}")
            tar.extractall(stage, members, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise PullError("damaged", f"not a whole tar file: {archive.name} ({error})") from error
    entries = list(stage.iterdir())
    inside = entries[0] if len(entries) == 1 and entries[0].is_dir() else stage
    mark = {"version": version, "files": build_manifest(inside)["files"]}
    os.sync()
    _place(inside, target)
    write_json(target / STAGE / _MARK, mark)
    shutil.rmtree(stage)
    archive.unlink()


def _place(inside: Path, target: Path) -> None:
    for entry in sorted(inside.iterdir()):
        place = target / entry.name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        entry.replace(place)
