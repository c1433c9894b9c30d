"""What takes time to look at and must not hold up the agent: GPUs (a driver may hang) and checkpoints (gigabytes)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from templates.agent import atomic, manifest
from templates.agent.processes import somebody_is_signed_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_GPU_QUERY = "index,name,utilization.gpu,memory.used,memory.total,power.draw"
_GPU_TIMEOUT_SECONDS = 20.0
_GPUS_EVERY_SECONDS = 5.0
_VISITORS_EVERY_SECONDS = 5.0
_CHECKPOINTS_EVERY_SECONDS = 1.0
_MIB = 1 << 20


class Watcher(threading.Thread):
    """Calls `look` again and again in the background; it returns the seconds until the next time, or None to end."""

    def __init__(self, look: Callable[[], float | None]) -> None:
        super().__init__(daemon=True)
        self._look = look

    def run(self) -> None:
        """Look until there is nothing to watch."""
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # training has the processors first
        while (pause := self._look()) is not None:
            time.sleep(pause)


class Gpus:
    """The GPUs as nvidia-smi last saw them."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def look(self) -> float | None:
        """Ask nvidia-smi; never again on a machine without it."""
        try:
            done = subprocess.run(
                ["nvidia-smi", f"--query-gpu={_GPU_QUERY}", "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                check=True,
                timeout=_GPU_TIMEOUT_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            return None
        except subprocess.SubprocessError:
            self.seen = []
        else:
            self.seen = [
                parse_gpu(line) for line in done.stdout.splitlines() if line.count(",") == _GPU_QUERY.count(",")
            ]
        return _GPUS_EVERY_SECONDS


def parse_gpu(line: str) -> dict[str, Any]:
    """One line of nvidia-smi's csv; what the card does not tell (`[N/A]`) is None."""
    index, name, utilization, used, total, power = (word.strip() for word in line.split(","))
    return {
        "index": int(index),
        "name": name,
        "utilization_percent": _number(utilization),
        "memory_used_bytes": _mib(used),
        "memory_total_bytes": _mib(total),
        "power_watts": _number(power),
    }


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _mib(word: str) -> int | None:
    number = _number(word)
    return None if number is None else int(number * _MIB)


class Visitors:
    """When somebody was last signed in to this machine, in seconds since the epoch: a long upload asks no status."""

    def __init__(self) -> None:
        self.seen_at = 0.0

    def look(self) -> float:
        """Look for a command of an SSH connection."""
        if somebody_is_signed_in():
            self.seen_at = time.time()
        return _VISITORS_EVERY_SECONDS


class Checkpoints:
    """Which checkpoints are complete. Each is hashed once, right after it was written, while it is still in memory."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self._folder = folder
        self._memory = memory
        # Checkpoint path -> fingerprint of its files and whether they were as its manifest says.
        self._checked: dict[str, list[Any]] = atomic.read_json(memory) or {}
        self.complete: list[dict[str, Any]] = []

    def look(self) -> float:
        """Check what is new or has changed."""
        complete, checked = [], {}
        for step, path in reversed(manifest.checkpoint_folders(self._folder)):
            known, good = self._checked.get(str(path), ["", False])
            try:
                fingerprint, size = _fingerprint(path)
                if known != fingerprint:
                    good = not manifest.check_manifest(path)
            except OSError:  # pruned meanwhile, or the disk cannot read it
                continue
            checked[str(path)] = [fingerprint, good]
            if good:
                complete.append({"step": step, "path": str(path), "bytes": size})
        if checked != self._checked:
            atomic.write_json(self._memory, checked)
        self._checked, self.complete = checked, complete
        return _CHECKPOINTS_EVERY_SECONDS


def _fingerprint(folder: Path) -> tuple[str, int]:
    """A digest of names, sizes and times under `folder`, and the bytes in it."""
    digest, size_bytes = hashlib.sha256(), 0
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        if not path.is_dir():
            digest.update(f"{path.relative_to(folder)}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
            size_bytes += facts.st_size
    return digest.hexdigest(), size_bytes
