"""What was fetched into a folder, for sources that do not tell the digests of their files."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Known:
    """The SHA-256 of what was fetched, by its path and by what its source calls its version."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a line that was torn is not known."""
        self._path = path
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, int], str] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    self._rows[row["path"], row["version"], row["size"]] = row["sha256"]
                except (ValueError, KeyError, TypeError):
                    continue

    def sha256_of(self, path: str, version: str, size: int) -> str | None:
        """What a file of this version was when it was fetched."""
        return self._rows.get((path, version, size))

    def learn(self, path: str, version: str, size: int, sha256: str) -> None:
        """Note what a file is, before it has its name; on the disk when this returns."""
        row = {"path": path, "version": version, "size": size, "sha256": sha256}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(row)}\n")
            file.flush()
            os.fsync(file.fileno())
