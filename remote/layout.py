"""Where everything of a run lies on the machine, and which folder is its workspace."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.command import Command
from remote.errors import SetupError

if TYPE_CHECKING:
    from remote.session import Session

DEFAULT_WORKSPACE = "/workspace"


@dataclass(frozen=True, slots=True)
class RunLayout:
    """Absolute paths on the machine, as text: they are the machine's, not this computer's.

    Attributes:
        workspace: The durable folder, for example `/workspace`.
        run_id: The run that owns everything below `run_folder`.
    """

    workspace: str
    run_id: str

    @property
    def shared_folder(self) -> str:
        """What runs on this workspace have in common: environments and the Hub cache."""
        return f"{self.workspace.rstrip('/')}/llamalift"

    @property
    def run_folder(self) -> str:
        """The run's own folder."""
        return f"{self.shared_folder}/{self.run_id}"

    def path(self, *parts: str) -> str:
        """A path below the run's folder."""
        return "/".join((self.run_folder, *parts))

    @property
    def agent_zipapp(self) -> str:
        """The agent, planted there by its own `boot`."""
        return self.path("agent.pyz")

    @property
    def run_file(self) -> str:
        """The user's run file, there from the first boot where it fits into the custom data."""
        return self.path("run.yaml")

    @property
    def trainer_zipapp(self) -> str:
        """The trainer; it goes on PYTHONPATH."""
        return self.path("trainer.pyz")

    @property
    def job_file(self) -> str:
        """Its appearance starts the job."""
        return self.path("job", "job.json")

    @property
    def train_log(self) -> str:
        """Everything that the job's steps print."""
        return self.path("logs", "train.log")

    @property
    def checkpoints(self) -> str:
        """Where `checkpoint-N` folders appear."""
        return self.path("checkpoints")

    @property
    def final(self) -> str:
        """The trained model, with its manifest."""
        return self.path("final")

    def stage_model(self, stage: str) -> str:
        """The model of a stage that others came after, with its manifest."""
        return self.path("stages", stage)

    @property
    def results(self) -> str:
        """Answers and scores of the finished models, with their manifest."""
        return self.path("after", "results")

    @property
    def hub_cache(self) -> str:
        """HF_HOME on the machine."""
        return f"{self.shared_folder}/hf"

    def environment(self, lock: bytes) -> str:
        """The training environment that belongs to `lock`: equal locks share one."""
        return f"{self.shared_folder}/env/{hashlib.sha256(lock).hexdigest()[:16]}"


def find_workspace(session: Session, mount: str = DEFAULT_WORKSPACE) -> str:
    """The machine's workspace: what LLAMALIFT_WORKSPACE says there, else `mount`; it must be a writable folder.

    Raises:
        SetupError: There is no such folder, or it cannot be written to.
    """
    told = session.run(Command.of("printenv", "LLAMALIFT_WORKSPACE"), check=False).stdout.decode().strip()
    workspace = told or mount
    usable = Command.of("test", "-d", workspace).and_then(Command.of("test", "-w", workspace))
    if session.run(usable, check=False).exit_code != 0:
        raise SetupError(
            f"the machine has no writable workspace folder: {workspace}",
            hint="the data disk was not mounted; read the end of /var/log/cloud-init-output.log on the machine",
        )
    return workspace
