"""What can be told of this computer without signing in anywhere."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from runs.checkup.finding import Area, Finding, Verdict
from runs.errors import JournalError, SpecError
from runs.journal import Journal
from runs.notify.senders import desktop_program
from runs.notify.settings import config_file, read_config
from runs.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

# The training environment of a rehearsal machine, a tiny model, its checkpoints.
_REHEARSAL_BYTES = 3_000_000_000
# Those whose versions a report of a fault has to name.
_PACKAGES = (
    "azure-identity",
    "azure-mgmt-compute",
    "azure-mgmt-network",
    "azure-mgmt-resource",
    "paramiko",
    "pydantic",
)
_PROGRAMS = (("ssh", "it carries large files and `llamalift ssh`; without it files go through a slower way"),)


def check_computer() -> Iterator[Finding]:
    """Every check of this computer."""
    yield _python()
    yield _packages()
    yield _state_folder()
    yield _disk()
    for name, use in _PROGRAMS:
        found = shutil.which(name)
        yield _finding(name, found or "not found", good=found is not None, hint=f"install it: {use}")
    yield _secrets()
    yield _notifications()
    yield from _rehearsal()


def _finding(subject: str, fact: str, *, good: bool, otherwise: Verdict = Verdict.WARN, hint: str = "") -> Finding:
    return Finding(Area.COMPUTER, subject, Verdict.OK if good else otherwise, fact, "" if good else hint)


def _python() -> Finding:
    fact = f"{platform.python_version()} at {sys.executable}"
    return _finding(
        "python", fact, good=sys.version_info >= (3, 11), otherwise=Verdict.FAIL, hint="use Python 3.11 or newer"
    )


def _packages() -> Finding:
    known, missing = [], []
    for name in _PACKAGES:
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    fact = f"missing: {', '.join(missing)}" if missing else ", ".join(known)
    return _finding("packages", fact, good=not missing, otherwise=Verdict.FAIL, hint="install llamalift anew")


def _state_folder() -> Finding:
    state = StateFolder.of_user()
    existing = next(folder for folder in (state.root, *state.root.parents) if folder.exists())
    hint = "name a folder that you may write with `export LLAMALIFT_STATE_DIR=FOLDER`"
    if not os.access(existing, os.W_OK):
        return _finding("state", f"may not be written: {state.root}", good=False, otherwise=Verdict.FAIL, hint=hint)
    try:
        runs = len(Journal(state.journal).runs()) if state.journal.exists() else 0
    except JournalError as error:
        return _finding("state", str(error), good=False, otherwise=Verdict.FAIL, hint=error.hint)
    return _finding("state", f"{state.root}, {runs} run{'' if runs == 1 else 's'}", good=True)


def _disk() -> Finding:
    root = StateFolder.of_user().root
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    hint = f"a rehearsal needs about {_REHEARSAL_BYTES / 1e9:.0f} GB, a 7B model at home 14 GB"
    return _finding("disk", f"{free / 1e9:.1f} GB free for the state folder", good=free > _REHEARSAL_BYTES, hint=hint)


def _secrets() -> Finding:
    from keyring import get_keyring
    from keyring.backends.fail import Keyring as Nothing

    backend = get_keyring()
    has_one = not isinstance(backend, Nothing)
    fact = type(backend).__module__.removeprefix("keyring.backends.") if has_one else "this computer has no keyring"
    return _finding("keyring", fact, good=has_one, hint="secrets of run files come from the environment alone")


def _notifications() -> Finding:
    try:
        wanted = read_config().notify
    except SpecError as error:
        first = "; ".join(problem.message for problem in error.problems)
        return _finding("notify", f"{error} ({first})", good=False, otherwise=Verdict.FAIL, hint=error.hint)
    if wanted.desktop is True and desktop_program() is None:
        return _finding("notify", "no program for messages here", good=False, hint="install notify-send (libnotify)")
    return _finding("notify", f"your config file: {config_file() if config_file().exists() else 'none'}", good=True)


def _rehearsal() -> Iterator[Finding]:
    from provisioning.rehearsal.machines import describe_ways

    for way in describe_ways():
        fact = f"{way.kind}: {way.reason}"
        yield _finding("rehearsal", fact, good=way.available, hint=way.hint)
