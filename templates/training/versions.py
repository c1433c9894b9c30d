"""Which software wrote a file: what a later reader would have to install."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("torch", "transformers", "accelerate", "deepspeed", "datasets", "tokenizers", "safetensors")


def versions() -> dict[str, str]:
    """Give the versions of Python and of the training packages that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
