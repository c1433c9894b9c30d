"""Where everything of one run lies on the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`<workspace>/llamalift/<run id>/`: the names in it, used by every verb."""

    root: Path

    @property
    def settings(self) -> Path:
        """run.json, written by `boot`."""
        return self.root / "run.json"

    @property
    def run_file(self) -> Path:
        """The user's run file, for a computer that adopts the run."""
        return self.root / "run.yaml"

    @property
    def archive(self) -> Path:
        """This very program."""
        return self.root / "agent.pyz"

    @property
    def job(self) -> Path:
        """job.json: its appearance starts the job."""
        return self.root / "job" / "job.json"

    @property
    def train_log(self) -> Path:
        """What the steps print."""
        return self.root / "logs" / "train.log"

    @property
    def agent_log(self) -> Path:
        """What the agent does."""
        return self.root / "logs" / "agent.log"

    @property
    def metrics(self) -> Path:
        """One JSON line per event of the trainer."""
        return self.root / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """`checkpoint-N` folders."""
        return self.root / "checkpoints"

    @property
    def final(self) -> Path:
        """The finished model."""
        return self.root / "final"

    @property
    def status(self) -> Path:
        """What the daemon last saw, made again each second."""
        return self.root / "status.json"

    @property
    def state(self) -> Path:
        """The daemon's memory: durable."""
        return self.root / "state.json"

    @property
    def meter(self) -> Path:
        """Billed time: durable."""
        return self.root / "meter.json"

    @property
    def checked(self) -> Path:
        """Which checkpoints were hashed, so that none is hashed twice."""
        return self.root / "checked.json"

    @property
    def lock(self) -> Path:
        """Held by the one living daemon."""
        return self.root / "agent.lock"

    @property
    def control(self) -> Path:
        """Small files from the client: `stop`, `extend`, `collected`."""
        return self.root / "control"

    @property
    def client_seen(self) -> Path:
        """Touched whenever the client asks."""
        return self.root / "client-seen"

    def attempt(self, key: str) -> Path:
        """Records of one attempt at one step."""
        return self.root / "attempts" / key

    def create(self) -> None:
        """Make the folders that the agent writes to."""
        for name in ("job", "logs", "checkpoints", "control", "markers", "attempts"):
            (self.root / name).mkdir(parents=True, exist_ok=True)


def workspace_of(run_settings_workspace: str) -> Path:
    """The workspace folder; LLAMALIFT_WORKSPACE overrides it on local machines that cannot have their own root."""
    return Path(os.environ.get("LLAMALIFT_WORKSPACE") or run_settings_workspace)


def run_folder(workspace: Path, run_id: str) -> RunFolder:
    """The folder of run `run_id`."""
    return RunFolder(workspace / "llamalift" / run_id)
