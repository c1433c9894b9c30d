"""Plain `ssh`, `scp`, `rsync`, `sftp` and editors on the run's machine: a generated ssh_config, as strict as we are.

It lies in the run's private folder. Asked to, we name it in the user's own `~/.ssh/config`, by one line for all runs
that goes with the last of them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import RunError
from runs.facts import Leaving, Rented
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runs.context import RunContext
    from runs.run import Run
    from runs.state_folder import StateFolder

_MARK = "# llamalift: its machines, one file for each run; both lines go with the last of them\n"
# OpenSSH reads these as patterns, quotes or the beginning of a token.
_UNQUOTABLE = frozenset('*?[]"%$\\\n')


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How the run's machine is called and where that is said; `installed_in` is the user's own file, or None."""

    host: str
    file: Path
    installed_in: Path | None


def alias_of(run_id: str) -> str:
    """What the machine is called for `ssh`."""
    return f"llamalift-{run_id}"


def ssh_access(run: Run, *, install: bool = False) -> SshAccess:
    """Write the run's ssh_config, and with `install` name it in the user's own.

    Raises:
        RunError: There is no machine, or the user's file cannot be written.
        RemoteError: The run's private key can be read by others.
    """
    with run.context() as context:
        if run.row.state is RunState.ENDED or context.get(Rented) is None or context.get(Leaving) is not None:
            raise RunError(f"the run has no machine: {run.run_id}", hint=f"see `llamalift status {run.run_id}`")
        file = write(context)
    link = _link(run.state, run.run_id)
    if install and not link.is_symlink():
        run.journal.event(run.run_id, f"naming the machine in {_users_file()}")
        _install(run.state, link, file)
    return SshAccess(alias_of(run.run_id), file, _users_file() if link.is_symlink() else None)


def write(context: RunContext) -> Path:
    """Write the run's ssh_config as its machine is to be reached now; a further machine's is in a folder of its own."""
    from remote.ssh_config import write_ssh_config

    if context.node:
        number = f"machine-{context.node + 1}"
        return write_ssh_config(context.endpoint(), context.folder / number, alias_of(context.run_id))
    return write_ssh_config(context.endpoint(), context.folder, alias_of(context.run_id))


def refresh(context: RunContext) -> None:
    """Bring a file that somebody asked for up to date: addresses, ports and host keys change."""
    from remote.ssh_config import CONFIG_NAME

    if (context.folder / CONFIG_NAME).exists():
        write(context)


def forget(state: StateFolder, run_id: str) -> None:
    """Take a run's keys and settings away: its machine is gone, and nothing is left that they open. Repeatable.

    The files are deleted and not overwritten first: what a disk or its filesystem keeps of them cannot be reached that
    way, and the key was good for one machine that no longer exists.
    """
    from remote.keys import USER_KEY_NAME
    from remote.ssh_config import CONFIG_NAME, KNOWN_HOSTS_NAME

    folder = state.run(run_id)
    for name in (USER_KEY_NAME, CONFIG_NAME, KNOWN_HOSTS_NAME):
        (folder / name).unlink(missing_ok=True)
    for file in folder.glob("host_key_one_time*"):
        file.unlink(missing_ok=True)
    for others in folder.glob("machine-*"):
        shutil.rmtree(others)
    link = _link(state, run_id)
    if not link.parent.is_dir():
        return
    with _locked(link.parent):
        link.unlink(missing_ok=True)
        if not any(link.parent.glob("*.conf")):
            _edit(_users_file(), lambda text: text.replace(_lines(link.parent), ""))


def _install(state: StateFolder, link: Path, file: Path) -> None:
    folder = link.parent
    if _UNQUOTABLE & set(str(folder.absolute())):
        raise RunError(
            f"OpenSSH could not read this folder's name: {folder}",
            hint=f"use the file itself: `ssh -F {file} …`, or name another folder in LLAMALIFT_STATE_DIR",
        )
    state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    lines = _lines(folder)
    with _locked(folder):
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        # At the top: below a Host line it would belong to that host.
        _edit(_users_file(), lambda text: text if lines in text else lines + text, create=True)


def _link(state: StateFolder, run_id: str) -> Path:
    return state.root / "ssh" / f"{run_id}.conf"


def _lines(folder: Path) -> str:
    return f'{_MARK}Include "{folder.absolute()}/*.conf"\n'


def _users_file() -> Path:
    return Path.home() / ".ssh" / "config"


def _edit(file: Path, change: Callable[[str], str], *, create: bool = False) -> None:
    """Change the user's file in one step, keeping its mode; a link (of those who keep it elsewhere) stays one."""
    file = file.resolve()
    try:
        if not file.exists():
            if not create:
                return
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = file.read_text() if file.exists() else ""
        after = change(before)
        if after == before:
            return
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=".llamalift-")
        with os.fdopen(descriptor, "w") as stream:
            stream.write(after)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        Path(part).replace(file)
    except (OSError, UnicodeError) as error:
        raise RunError(
            f"your ssh configuration cannot be changed: {file} ({error})",
            hint="without it: `llamalift ssh-config RUN` says how to use the run's own file",
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two runs may begin or end at the same time."""
    with (folder / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
