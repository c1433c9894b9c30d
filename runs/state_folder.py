"""Where llamalift keeps its state: the journal, and one private folder per run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The user's state folder (`LLAMALIFT_STATE_DIR`, else the platform's own place for state)."""

    root: Path

    @classmethod
    def of_user(cls) -> StateFolder:
        """The folder in force now."""
        chosen = os.environ.get("LLAMALIFT_STATE_DIR")
        return cls(Path(chosen).absolute() if chosen else user_state_path("llamalift"))

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.root / "journal.sqlite"

    def run(self, run_id: str) -> Path:
        """A run's private folder (0700): keys, log copy, receipt."""
        folder = self.root / "runs" / run_id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
