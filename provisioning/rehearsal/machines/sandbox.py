"""The preferred way: OpenSSH's sshd inside bubblewrap.

The machine has its own process space, host name, `/`, home and `/workspace`; of the host it sees programs and
libraries, read-only. It has one user, who is whoever runs the emulator, under another name: an unprivileged user
namespace can map no more than that. Bubblewrap cannot make mount points on a read-only `/`, so the root is a folder of
the machine's own, and the host's top-level folders are bound into it one by one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.errors import RehearsalError
from provisioning.rehearsal.machines import sandbox_init
from provisioning.rehearsal.machines.processes import HeldMachine, start_process
from provisioning.rehearsal.machines.programs import base_interpreter
from provisioning.rehearsal.machines.sandbox_etc import host_etc_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioning.rehearsal.machines.disk import MachineDisk
    from provisioning.rehearsal.machines.spec import LocalMachineSpec

USER_ID = 1000
POWER_OFF = "exec /bin/kill -TERM 1"

_OWN_TOP_LEVEL = frozenset({"dev", "etc", "home", "lost+found", "opt", "proc", "run", "scratch", "tmp", "workspace"})
_ISOLATION = (
    "--unshare-user", "--uid", str(USER_ID), "--gid", str(USER_ID), "--unshare-pid", "--unshare-ipc", "--unshare-uts",
    "--unshare-cgroup-try",
)  # fmt: skip
_PROBE_SECONDS = 10.0


def why_not() -> tuple[str, str] | None:
    """Why this computer cannot boot a sandbox, and what would help; None when it can."""
    if sys.platform != "linux":
        return "sandboxes need Linux", ""
    if _sshd() is None:
        return "sshd is not installed", "install OpenSSH's server, for example: sudo apt-get install openssh-server"
    if _bubblewrap() is None:
        return "bubblewrap is not installed", "for example: sudo apt-get install bubblewrap"
    return _why_bubblewrap_fails()


def start(spec: LocalMachineSpec, disk: MachineDisk, environment: Mapping[str, str], lock: int) -> HeldMachine:
    """Start the machine's first process; its SSH server comes up shortly after, and it holds `lock` open.

    Raises:
        RehearsalError: Bubblewrap could not make the sandbox.
    """
    _make_mount_points(spec)
    shutil.copyfile(sandbox_init.__file__, disk.programs / "init.py")
    report, report_writer = os.pipe()
    try:
        argv = [*_arguments(spec, disk), "--info-fd", str(report_writer), "--", *_first_process()]
        # Not as --setenv: arguments are public, and a package index may come with a password.
        process = start_process(argv, environment, disk.console_log, pass_fds=[lock, report_writer])
    finally:
        os.close(report_writer)
    with os.fdopen(report) as reader:
        text = reader.read()
    if not text:
        process.wait()
        raise RehearsalError(f"bubblewrap failed, exit code: {process.returncode}")
    return HeldMachine(process, int(json.loads(text)["child-pid"]))


def _bubblewrap() -> str | None:
    return shutil.which("bwrap")


def _sshd() -> str | None:
    # Debian keeps /usr/sbin out of ordinary users' PATH.
    found = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    return os.path.realpath(found) if found else None


def _why_bubblewrap_fails() -> tuple[str, str] | None:
    probe = [
        "bwrap",
        *_ISOLATION,
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--",
        "/bin/sh",
        "-c",
        ":",
    ]
    try:
        subprocess.run(probe, check=True, capture_output=True, timeout=_PROBE_SECONDS)
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        return f"bubblewrap cannot make a sandbox here: {last_line}", "allow unprivileged user namespaces"
    except subprocess.TimeoutExpired:
        return f"bubblewrap did not answer, seconds waited: {_PROBE_SECONDS:.0f}", ""
    return None


def _first_process() -> list[str]:
    sshd = _sshd() or "/usr/sbin/sshd"
    return [
        base_interpreter(), "-I", "-S", "/run/machine/init.py", sshd, "/etc/ssh/sshd_config", "/run/machine/runcmd",
    ]  # fmt: skip


def _make_mount_points(spec: LocalMachineSpec) -> None:
    mount_point = spec.workspace_folder / "llamalift" / "env"
    if mount_point.is_symlink():
        mount_point.unlink()  # left by a boot without a sandbox
    mount_point.mkdir(parents=True, exist_ok=True)


def _arguments(spec: LocalMachineSpec, disk: MachineDisk) -> list[str]:
    arguments = [
        _bubblewrap() or "bwrap",
        *_ISOLATION,
        "--as-pid-1",
        "--hostname",
        spec.name,
        "--bind",
        str(disk.root),
        "/",
    ]
    for source, target in _read_only(disk):
        arguments += ["--ro-bind", source, target]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm"]  # noqa: S108 (a mount point, not a file)
    if Path("/var/tmp").is_dir():  # noqa: S108 (the machine gets its own)
        arguments += ["--tmpfs", "/var/tmp"]  # noqa: S108
    arguments += ["--bind", str(spec.workspace_folder.absolute()), "/workspace"]
    arguments += ["--bind", str(spec.environment_cache.absolute()), "/workspace/llamalift/env"]
    if spec.scratch_folder is not None:
        arguments += ["--bind", str(spec.scratch_folder.absolute()), "/scratch"]
    return [*arguments, "--chdir", "/"]


def _read_only(disk: MachineDisk) -> Iterator[tuple[str, str]]:
    """What the machine sees of the host, as (source, target)."""
    for path in _host_top_level(disk):
        yield path, path
    for path in _entries(Path("/opt"), disk):
        yield path, path
    for path in _entries(Path("/home"), disk):
        yield path, path
    yield from host_etc_entries(disk)
    for prefix in _hidden_interpreter(disk):
        yield prefix, prefix


def _host_top_level(disk: MachineDisk) -> Iterator[str]:
    for entry in sorted(Path("/").iterdir()):
        if entry.name in _OWN_TOP_LEVEL:
            continue
        if entry.is_symlink():
            _same_symlink(entry, disk.root / entry.name)
        elif entry.is_dir():
            yield str(entry)


def _entries(folder: Path, disk: MachineDisk) -> Iterator[str]:
    """The host's entries of a folder of which the machine has its own, except those that are the machine's."""
    if not folder.is_dir():
        return
    own = disk.root / folder.relative_to("/")
    for entry in sorted(folder.iterdir()):
        mine = own / entry.name
        if entry.is_symlink():
            _same_symlink(entry, mine)
        elif not (mine.is_dir() and any(mine.iterdir())) and not _is_reserved(entry, disk):
            yield str(entry)


def _is_reserved(entry: Path, disk: MachineDisk) -> bool:
    return entry in {Path("/opt/llamalift"), Path("/home") / disk.username}


def _same_symlink(original: Path, copy: Path) -> None:
    if not copy.is_symlink() and not copy.exists():
        copy.symlink_to(original.readlink())


def _hidden_interpreter(disk: MachineDisk) -> Iterator[str]:
    """The interpreter's folders, where the machine's own folders would hide them."""
    hiding = [Path("/tmp"), Path("/run"), Path("/var/tmp"), Path("/home") / disk.username]  # noqa: S108
    prefixes = {Path(base_interpreter()).parent.parent, Path(sys.base_prefix).resolve()}
    for prefix in sorted(prefixes):
        if any(prefix.is_relative_to(folder) for folder in hiding):
            yield str(prefix)
