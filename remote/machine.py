"""Making a fresh machine ready: its agent answers, its host key is its own, and git-lfs is there.

`install_environment` and `check_gpus` have modules of their own and are at hand here too.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from remote.agent import read_status
from remote.command import Command
from remote.environment import install_environment
from remote.errors import CommandFailedError, RemoteError, SetupError
from remote.gpus import check_gpus
from remote.keys import public_key_bytes
from remote.layout import DEFAULT_WORKSPACE, find_workspace
from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from remote.layout import RunLayout
    from remote.session import Session

__all__ = [
    "check_gpus",
    "ensure_git_lfs",
    "find_workspace",
    "install_environment",
    "rotate_host_key",
    "wait_for_workspace",
    "wait_until_booted",
]

# Where cloud-init writes it; without a root of its own, a machine has it only where `boot` copies it: the run's folder.
PLANTED_AGENT = "/opt/llamalift/agent.pyz"
_BOOT_SECONDS = 900.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_BOOT_LOG = "/var/log/cloud-init-output.log"
# cloud-init writes it at every start, after its last command (at the first start the agent's `boot`), well or badly.
_BOOT_IS_OVER = "/run/cloud-init/result.json"


def wait_for_workspace(
    session: Session,
    mount: str = DEFAULT_WORKSPACE,
    *,
    deadline_seconds: float = _BOOT_SECONDS,
    progress: Callable[[str], None] | None = None,
    boot_is_over: str = _BOOT_IS_OVER,
) -> str:
    """Wait for the workspace, and return it: SSH lets us in before the first boot has formatted and mounted the disk.

    Args:
        session: The machine.
        mount: Where the run file wants it.
        deadline_seconds: For how long to wait.
        progress: Told what is being waited for.
        boot_is_over: A file on the machine; once it is there, nothing more will come of waiting.

    Raises:
        SetupError: It is not there by the deadline, or the first boot is over without it; the end of the boot log is in
            the message.
        UnreachableError: The connection broke.
    """
    found: list[str] = []

    def is_there() -> bool:
        over = session.run(Command.of("test", "-e", boot_is_over), check=False).exit_code == 0
        try:
            found.append(find_workspace(session, mount))
        except SetupError as error:
            if over:
                raise SetupError(
                    f"{error.fact}; the boot log ends: {_end_of_boot_log(session)}", hint=error.hint
                ) from error
            return False
        return True

    if not _wait(is_there, deadline_seconds, progress, "waiting for the workspace disk on the machine"):
        raise SetupError(
            f"the workspace was not there within {deadline_seconds:.0f} s: {mount}; the boot log ends: "
            f"{_end_of_boot_log(session)}",
            hint=f"look at {_BOOT_LOG} with `llamalift ssh RUN`",
        )
    return found[0]


def wait_until_booted(
    session: Session,
    layout: RunLayout,
    *,
    deadline_seconds: float = _BOOT_SECONDS,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Wait until the agent runs and answers: the disk is mounted then, and the dead-man switch is armed.

    Raises:
        SetupError: It does not by the deadline; the end of the boot log is in the message.
        UnreachableError: The connection broke.
    """

    def is_alive() -> bool:
        try:
            return read_status(session, layout, log_limit=0).agent.alive
        except CommandFailedError:
            return False

    if not _wait(is_alive, deadline_seconds, progress, "waiting for the agent on the machine"):
        raise SetupError(
            f"the agent did not start within {deadline_seconds:.0f} s; the boot log ends: {_end_of_boot_log(session)}",
            hint=f"look at {_BOOT_LOG} with `llamalift ssh RUN`",
        )


def rotate_host_key(session: Session, on_pending: Callable[[str], None], *, deadline_seconds: float = 120.0) -> None:
    """Replace the one-time host key by one that the machine makes itself, in two phases.

    The new public key is handed to `on_pending`, which must make it durable (pin it) before it returns; only then does
    the machine use it and destroy the old one. Interrupted anywhere, it can be called again: the machine shows either
    the old key or one that is pinned. This connection stays open; the next one meets the new key.

    Raises:
        SetupError: There is no agent on the machine, or it does not give an ed25519 key.
        UnreachableError: The connection broke.
    """
    agent = _planted_agent(session, deadline_seconds)
    answer = session.run(Command.of("python3", agent, "new-host-key")).stdout
    on_pending(_public_line(answer))
    session.run(Command.of("python3", agent, "activate-host-key"))


def ensure_git_lfs(session: Session) -> str | None:
    """Make git-lfs be there; returns a note for the user where that is not possible, which stops nothing."""
    if session.run(Command.of("git", "lfs", "version"), check=False).exit_code == 0:
        return None
    # `env` behind sudo, which lets no variable of ours through.
    apt = Command.of(
        "sudo",
        "-n",
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=60",
        "install",
        "-y",
        "-q",
        "git-lfs",
    )
    update = Command.of("sudo", "-n", "apt-get", "update", "-q")
    done = session.run(apt.or_else(update.and_then(apt)), timeout_seconds=600, check=False)
    if done.exit_code == 0:
        return None
    return "git-lfs is not on the machine and could not be installed there; only repositories that use it need it"


def _wait(
    is_done: Callable[[], bool], deadline_seconds: float, progress: Callable[[str], None] | None, what: str
) -> bool:
    deadline = time.monotonic() + deadline_seconds
    pause = _FIRST_PAUSE_SECONDS
    while not is_done():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if progress:
            progress(what)
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
    return True


def _planted_agent(session: Session, deadline_seconds: float) -> str:
    """Where the agent is; the run's own folder is not known yet at this point."""
    found: list[str] = []

    def look() -> bool:
        if session.run(Command.of("test", "-f", PLANTED_AGENT), check=False).exit_code == 0:
            found.append(PLANTED_AGENT)
            return True
        workspace = session.run(Command.of("printenv", "LLAMALIFT_WORKSPACE"), check=False).stdout.decode().strip()
        shared = f"{workspace or DEFAULT_WORKSPACE}/llamalift"
        listed = session.run(
            Command.of("find", shared, "-mindepth", "2", "-maxdepth", "2", "-name", "agent.pyz"), check=False
        )
        found.extend(listed.stdout.decode().splitlines()[:1])
        return bool(found)

    if not _wait(look, deadline_seconds, None, ""):
        raise SetupError(
            f"the machine's first boot left no agent: {PLANTED_AGENT}",
            hint=f"look at {_BOOT_LOG} with `llamalift ssh RUN`",
        )
    return found[0]


def _public_line(answer: bytes) -> str:
    try:
        line = json.loads(answer)["public_key"]
        kind, _ = line.split()[:2]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError("the machine did not say its new host key") from error
    if kind != "ssh-ed25519":
        raise SetupError(f"the machine's new host key is not an ed25519 key: {printable(kind)}")
    public_key_bytes(line)
    return " ".join(line.split()[:2])


def _end_of_boot_log(session: Session) -> str:
    try:
        # Ubuntu lets only root and `adm` read it.
        tail = Command.of("sudo", "-n", "tail", "-n", "5", _BOOT_LOG).or_else(Command.of("tail", "-n", "5", _BOOT_LOG))
        said = session.run(tail, check=False).stdout.decode(errors="replace")
    except RemoteError as error:
        return str(error)
    return printable(said).strip() or "(there is none)"
