"""Makes the scratch folder of a machine: its local NVMe disks striped (RAID-0), formatted, mounted. Run as root.

`python3 -m templates.training.scratch_disk --mount /scratch --owner NAME` prints one JSON object: `mounted` (the
folder, or null where there are no such disks) and `notes`. It may run at every start: what is there stays, what a
restart unmounted is mounted again, and what an eviction emptied is made anew.

Only disks that Azure calls local ("Microsoft NVMe Direct Disk", learn.microsoft.com/azure/virtual-machines/
enable-nvme-temp-faqs) are looked at, and of those only empty ones and our own are used: they hold nothing that outlives
the machine. The stripe is btrfs's own, made and mounted by one program each; without btrfs-progs one disk is used
alone, as ext4. Checksums of data are off, since every checkpoint has its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from templates.agent.disk import facts_of
from templates.agent.errors import AgentError
from templates.agent.system import call, system_path

_MODEL = "Microsoft NVMe Direct Disk"
_LABEL = "llama-scratch"
# Where Microsoft's HPC images put the stripe that they make themselves on the larger sizes.
_IMAGE_MOUNT = "/mnt/resource_nvme"


def local_disks() -> list[Path]:
    """The machine's local NVMe disks, by name."""
    blocks = sorted(system_path("/sys/block").glob("nvme*"))
    return [system_path(f"/dev/{block.name}") for block in blocks if _model(block).startswith(_MODEL)]


def has_local_disks() -> bool:
    """Whether this machine could have scratch; looks only."""
    return bool(local_disks()) or os.path.ismount(system_path(_IMAGE_MOUNT))


def _model(block: Path) -> str:
    try:
        return (block / "device" / "model").read_text().strip()
    except OSError:
        return ""


def make_scratch(mount: Path, owner: str, notes: list[str]) -> Path | None:
    """Mount the scratch file system, made first where there is none; None where the machine has no disk for it.

    Raises:
        AgentError: A disk cannot be read, or a program failed.
    """
    image_mount = system_path(_IMAGE_MOUNT)
    if os.path.ismount(image_mount) and not os.path.ismount(mount):
        return _own(image_mount / "llamalift", owner)
    if not os.path.ismount(mount):
        disks = _usable(local_disks(), notes)
        if not disks:
            return None
        mount.mkdir(parents=True, exist_ok=True)
        _mount(disks, mount, notes)
    return _own(mount, owner)


def _usable(disks: list[Path], notes: list[str]) -> list[Path]:
    usable = []
    for disk in disks:
        facts = facts_of(disk)
        if not facts or facts.get("LABEL") == _LABEL:
            usable.append(disk)
        else:
            notes.append(f"{disk} is left alone: it holds {facts.get('TYPE') or facts.get('PTTYPE')}")
    return usable


def _mount(disks: list[Path], mount: Path, notes: list[str]) -> None:
    found = {facts["TYPE"] for disk in disks if (facts := facts_of(disk))}
    if len(found) == 1 and _mounts(disks, mount, found.pop()):
        return
    striped = shutil.which("mkfs.btrfs") is not None
    if not striped and len(disks) > 1:
        notes.append(f"btrfs-progs is not installed: scratch is one disk of {len(disks)}")
    kind = _format(disks, striped=striped)
    if not _mounts(disks if striped else disks[:1], mount, kind):
        raise AgentError(f"the scratch file system cannot be mounted: {disks[0]}")


def _mounts(disks: list[Path], mount: Path, kind: str) -> bool:
    """Mount what is there; False when a part of it is missing."""
    options = "noatime"
    if kind == "btrfs":
        options += ",nodatasum," + ",".join(f"device={disk}" for disk in disks)
    done = call("mount", "-t", kind, "-o", options, str(disks[0]), str(mount), accept=_ANY)
    return done.returncode == 0


def _format(disks: list[Path], *, striped: bool) -> str:
    for disk in disks:
        if facts_of(disk):
            # Ours, and of no use without its other parts. The programs below refuse whatever else they see.
            call("wipefs", "--all", str(disk))
    if striped:
        profile = "raid0" if len(disks) > 1 else "single"
        call("mkfs.btrfs", "-q", "-L", _LABEL, "-d", profile, "-m", profile, *map(str, disks))
        return "btrfs"
    call("mkfs.ext4", "-q", "-m", "0", "-L", _LABEL, str(disks[0]))
    return "ext4"


def _own(folder: Path, owner: str) -> Path:
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, owner, owner)
    return folder


_ANY = tuple(range(256))


def main(argv: list[str]) -> int:
    """Make scratch, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mount", type=Path, required=True)
    parser.add_argument("--owner", required=True)
    asked = parser.parse_args(argv)
    notes: list[str] = []
    try:
        mounted = make_scratch(asked.mount, asked.owner, notes)
    except (AgentError, OSError) as error:
        mounted = None
        notes.append(f"no scratch: {error}")
    print(json.dumps({"mounted": None if mounted is None else str(mounted), "notes": notes}))  # noqa: T201 - its answer
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
