"""Files that are whole or absent, also after a power cut."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make the names inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes, *, durable: bool = True, mode: int = 0o644) -> None:
    """Replace `path` by `data` in one step.

    Args:
        path: The file; its folder must exist.
        data: The whole new content.
        durable: Wait until the disk has it. False is for files that are made again each second.
        mode: Permission bits of the new file.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        if durable:
            os.fsync(file.fileno())
    part.replace(path)
    if durable:
        fsync_folder(path.parent)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Replace `path` by `value` as JSON in one step."""
    write_bytes(path, json.dumps(value, sort_keys=True).encode() + b"\n", durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`, or None when there is no such file.

    Raises:
        ValueError: The file holds something else than a JSON object.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object: {path}")  # noqa: TRY004 - a wrong file, not a wrong call
    return value
