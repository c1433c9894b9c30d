"""The first thing that a machine does, and the same again after any restart: switch, disk, folder, daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from templates.agent import atomic, disk, ending, units
from templates.agent.folder import RunFolder, run_folder, workspace_of
from templates.agent.imds import Imds
from templates.agent.limits import SECOND_CHANCE_SECONDS
from templates.agent.meter import uptime_seconds
from templates.agent.settings import limits_now, read_settings
from templates.agent.system import call, system_path

_DISK_SECONDS = 120.0
# A living agent writes its status each second; a checkpoint at the deadline takes it minutes, never an hour.
_AGENT_SILENT_SECONDS = 60.0
_MOST_SAVING_SECONDS = 3600.0
_LOCAL_SIGNS = ("LLAMALIFT_LOCAL_MACHINE", "LLAMALIFT_WORKSPACE", "LLAMALIFT_IMDS")
# Says to every later `boot` that this machine is a rented one, also when its workspace is already there.
_OWNED = "/etc/llamalift-owned"


def boot(config: Path) -> dict[str, Any]:
    """Make the machine ready for the run in `config` (run.json) and start its daemon. Idempotent.

    Raises:
        DiskError, SystemCommandError: The workspace cannot be had; nothing was started.
    """
    settings = read_settings(config)
    workspace = workspace_of(settings.workspace)
    owned = owns_machine(workspace, settings.data_disk_lun)
    archive = Path(sys.argv[0])
    if owned:
        system_path(_OWNED).touch()
        if _has_systemd():
            units.arm_switch(config, archive, settings.limits.deadline_at)
        data_disk = disk.wait_for_data_disk(settings.data_disk_lun, _DISK_SECONDS)
        disk.mount_workspace(data_disk, workspace)
    folder = run_folder(workspace, settings.run_id)
    _fill(folder, config, archive)
    if owned:
        _hand_over(folder, workspace, settings.username)
    how = _start(folder, workspace, settings.username, owned=owned)
    return {"run_dir": str(folder.root), "owns_machine": owned, "serve": how}


def owns_machine(workspace: Path, lun: int) -> bool:
    """Whether this is a rented machine, to be formatted, changed and powered off, and not somebody's computer.

    A local machine of the rehearsal says by its environment that it is one, and has its workspace before it boots.
    """
    if os.geteuid() != 0 or any(os.environ.get(name) for name in _LOCAL_SIGNS):
        return False
    return system_path(_OWNED).exists() or not workspace.exists() or disk.find_data_disk(lun) is not None


def end_if_due(config: Path) -> dict[str, Any]:
    """The dead-man switch's own verb: end compute when the deadline, with what the client added to it, is over.

    A living agent does so itself, after a checkpoint; it has an hour for that.
    """
    settings = read_settings(config)
    folder = run_folder(workspace_of(settings.workspace), settings.run_id)
    now = time.time()
    deadline_at = limits_now(settings, folder).deadline_at
    uptime = uptime_seconds()
    has_a_chance = deadline_at <= now - uptime and uptime < SECOND_CHANCE_SECONDS
    if now < deadline_at or has_a_chance:
        return {"due": False}
    if now < deadline_at + _MOST_SAVING_SECONDS and _agent_lives(folder, now):
        return {"due": False}
    owned = system_path(_OWNED).exists() and os.geteuid() == 0
    lines: list[str] = []
    ended = ending.end_compute(Imds.of_this_machine(owns_machine=owned), owns_machine=owned, say=lines.append)
    return {"due": True, "ended": ended, "said": lines, "exit_code": int(not ended)}


def _agent_lives(folder: RunFolder, now: float) -> bool:
    return folder.status.exists() and now - folder.status.stat().st_mtime < _AGENT_SILENT_SECONDS


def _has_systemd() -> bool:
    return system_path("/run/systemd/system").is_dir()


def _fill(folder: RunFolder, config: Path, archive: Path) -> None:
    folder.create()
    atomic.write_bytes(folder.settings, config.read_bytes())
    run_file = config.with_name(folder.run_file.name)
    if run_file.exists():
        atomic.write_bytes(folder.run_file, run_file.read_bytes())
    if archive != folder.archive:
        atomic.write_bytes(folder.archive, archive.read_bytes(), mode=0o755)


def _hand_over(folder: RunFolder, workspace: Path, username: str) -> None:
    """The user owns the workspace and the run's folder; what is deeper was made by the user."""
    shutil.chown(workspace, username, username)
    shutil.chown(folder.root.parent, username, username)
    call("chown", "-R", f"{username}:{username}", str(folder.root), quiet=True)


def _start(folder: RunFolder, workspace: Path, username: str, *, owned: bool) -> str:
    if owned and _has_systemd():
        units.start_agent(folder, workspace, username)
        return "systemd"
    _start_detached(folder, owner=username if owned else None)
    return "detached"


def _start_detached(folder: RunFolder, owner: str | None) -> None:
    flags = [] if owner is None else ["--owns-machine"]
    rights: dict[str, Any] = {} if owner is None else {"user": owner, "group": owner, "extra_groups": []}
    with folder.agent_log.open("ab") as log:
        subprocess.Popen(
            [sys.executable, str(folder.archive), "serve", "--run-dir", str(folder.root), *flags],
            cwd=folder.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **rights,
        )
