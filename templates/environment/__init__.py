"""The training environments, pinned: one for GPU machines, one for local ones."""

from __future__ import annotations

from importlib.resources import files


def lock_for(*, gpu: bool) -> bytes:
    """The lock file of a machine with or without GPUs (requirements.txt format)."""
    return files(__name__).joinpath("cuda.lock.txt" if gpu else "cpu.lock.txt").read_bytes()
