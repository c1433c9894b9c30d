"""DeepSpeed's engine as far as it takes part in a save, with a disk that ends where a test says."""

from __future__ import annotations

from dataclasses import dataclass, field


def refuse() -> None:
    """Write as a full disk would let one."""
    raise OSError(28, "No space left on device")


class FileEngine:
    """A checkpoint engine that writes text; `full` names the file at which its disk ends."""

    def __init__(self, full: str = "") -> None:
        self._full = full

    def save(self, state_dict: object, path: str) -> None:
        """Write a file, half of it where the disk ends."""
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - DeepSpeed's engines are given strings
            file.write(str(state_dict))
            if self._full and path.endswith(self._full):
                refuse()

    def load(self, path: str) -> str:
        """What the guard leaves alone."""
        return path


@dataclass
class Engine:
    """As much of DeepSpeed's engine as takes part in a save."""

    checkpoint_engine: FileEngine
    global_rank: int = 0
    global_steps: int = 6
    scripts: list[str] = field(default_factory=list)

    def _copy_recovery_script(self, folder: str) -> None:
        self.scripts.append(folder)
