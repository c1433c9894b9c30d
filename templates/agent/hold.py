"""The holder: one small process per attempt that starts the step and writes down how it ended.

It outlives the agent, so that an agent killed and started again finds both the running step and, later, its exit code.
Whoever links the claim first owns the attempt; a second holder of the same attempt leaves without doing anything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.agent.folder import RunFolder
from templates.agent.processes import boot_id, identity
from templates.agent.settings import Job

if TYPE_CHECKING:
    from templates.agent.settings import Step

NOT_STARTED = 127


def hold(run_dir: Path, key: str) -> int:
    """Run attempt `key` of the current step to its end."""
    folder = RunFolder(run_dir)
    records = folder.attempt(key)
    if not _claim(records):
        return 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A handler, not SIG_IGN, which the step would inherit.
        signal.signal(number, lambda *_: None)
    state = atomic.read_json(folder.state)
    if state is None:
        raise FileNotFoundError(f"no state: {folder.state}")
    job = Job.from_json(state["job"])
    step = job.steps[state["step_index"]]
    folder.root.joinpath(step.marker).unlink(missing_ok=True)
    own = {"LLAMALIFT_ATTEMPT": str(state["attempt"]), "LLAMALIFT_HALVINGS": str(state.get("halvings", 0))}
    code, error = _run(folder, records, step, job.secrets_file, own)
    atomic.write_json(records / "exit.json", {"code": code, "error": error, "ended_at": time.time()})
    return 0


def _claim(records: Path) -> bool:
    records.mkdir(parents=True, exist_ok=True)
    mine = records / f"claim.{os.getpid()}"
    atomic.write_json(mine, {"pid": os.getpid(), "identity": identity(os.getpid()), "boot_id": boot_id()})
    try:
        os.link(mine, records / "claim.json")
    except FileExistsError:
        return False
    finally:
        mine.unlink()
    return True


def _run(
    folder: RunFolder, records: Path, step: Step, secrets_file: str | None, own: dict[str, str]
) -> tuple[int, str | None]:
    with folder.train_log.open("ab") as log:
        try:
            child = subprocess.Popen(
                step.argv,
                cwd=step.cwd or folder.root,
                env=_environment(folder, step, secrets_file, {**own, "LLAMALIFT_ATTEMPT_DIR": str(records)}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError, KeyError) as error:
            return NOT_STARTED, f"{type(error).__name__}: {error}"
    _let_go_first(child.pid)
    atomic.write_json(records / "leader.json", {"pid": child.pid, "identity": identity(child.pid)})
    return child.wait(), None


def _let_go_first(pid: int) -> None:
    """When memory runs out, the kernel shall take the step: systemd protects the agent, and that is inherited."""
    score = Path(f"/proc/{pid}/oom_score_adj")
    # On another system, or when the step has ended already, there is nothing to do.
    with contextlib.suppress(OSError):
        if int(score.read_text()) < 0:
            score.write_text("0")


def _environment(folder: RunFolder, step: Step, secrets_file: str | None, own: dict[str, str]) -> dict[str, str]:
    secrets: dict[str, Any] = {}
    if secrets_file is not None:
        secrets = atomic.read_json(Path(secrets_file)) or _missing(secrets_file)
    run_dir = {"LLAMALIFT_RUN_DIR": str(folder.root)}
    # Else torchrun kills its ranks 30 s after SIGTERM, however long their checkpoint takes.
    launcher = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(int(step.grace_seconds))}
    return {**os.environ, **launcher, **step.env, **secrets, **run_dir, **own}


def _missing(secrets_file: str) -> dict[str, Any]:
    raise FileNotFoundError(f"the secrets are gone (they do not survive a restart of the machine): {secrets_file}")


def command(key: str, folder: RunFolder) -> list[str]:
    """The argv that starts a holder."""
    return [sys.executable, sys.argv[0], "hold", "--run-dir", str(folder.root), "--key", key]
