"""One checkpoint from scratch to the durable disk: compared while it is copied, taken up where it was interrupted.

What is on its way lies in `.draining-checkpoint-N/` beside its goal, under a name that nobody takes for a checkpoint.
`progress.json` in it says which bytes have reached the disk; it never runs ahead of them, so after a kill or a power
cut what it names is there, and everything else is copied again. The manifest comes last, byte for byte as it was
written on scratch, and only then does the folder get its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import NAME, read_manifest
from templates.training.checkpoints import fsync_folder, write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from templates.training.pace import Pace

PREFIX = ".draining-"
_PROGRESS = "progress.json"
CHUNK_BYTES = 4 << 20
# After so many bytes they are made durable and leave the page cache: the trainer's own memory must not be pushed out.
FLUSH_BYTES = 256 << 20


class DamagedError(Exception):
    """The checkpoint on scratch is not what its manifest says; copying it again would not help."""


class Copy:
    """The copy of the checkpoint folder `source` to `target`."""

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        pace: Pace,
        tell: Callable[[int, int], None],
        flush_bytes: int = FLUSH_BYTES,
    ) -> None:
        """Copy at `pace`, `tell` how many of how many bytes are there, and make them durable each `flush_bytes`."""
        self._source = source
        self._target = target
        self._folder = target.parent / f"{PREFIX}{target.name}"
        self._staged = self._folder / target.name
        self._pace = pace
        self._tell = tell
        self._flush_bytes = flush_bytes
        self._files: dict[str, dict[str, Any]] = read_manifest(source)["files"]
        self._done: dict[str, int] = {}

    @property
    def bytes(self) -> int:
        """All bytes of the checkpoint."""
        return sum(int(entry["size"]) for entry in self._files.values())

    @property
    def missing_bytes(self) -> int:
        """What still has to be written, as far as an interrupted copy has come."""
        return self.bytes - sum(self._read_progress().values())

    def run(self) -> None:
        """Copy what is missing; complete under its name when this returns.

        Raises:
            DamagedError: A file on scratch differs from the manifest.
            OSError: A disk refused; what was copied stays for the next time.
        """
        self._done = self._read_progress()
        self._staged.mkdir(parents=True, exist_ok=True)
        for name, entry in self._files.items():
            self._copy_file(name, int(entry["size"]), str(entry["sha256"]))
        self._complete()
        self._tell(self.bytes, self.bytes)

    def discard(self) -> None:
        """Forget what was copied."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read_progress(self) -> dict[str, int]:
        """Durable bytes of each file; nothing where they belong to another checkpoint of the same step."""
        try:
            found = json.loads((self._folder / _PROGRESS).read_text())
            if found["manifest"] == self._manifest_digest():
                return {name: min(int(count), self._there(name)) for name, count in found["done"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # None, or torn: then everything is copied.
            return {}
        return {}

    def _there(self, name: str) -> int:
        try:
            return (self._staged / name).stat().st_size
        except FileNotFoundError:
            return 0

    def _manifest_digest(self) -> str:
        return hashlib.sha256((self._source / NAME).read_bytes()).hexdigest()

    def _copy_file(self, name: str, size: int, sha256: str) -> None:
        done = self._done.get(name, 0)
        if done == size and name in self._done:
            self._say(0)
            return
        target = self._staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (self._source / name).open("rb") as reader, _opened(target) as writer:
            for piece in _pieces(reader, done):
                digest.update(piece)
            writer.truncate(done)
            writer.seek(done)
            self._copy_rest(name, reader, writer, digest)
        if self._done[name] != size or digest.hexdigest() != sha256:
            raise DamagedError(f"wrong content: {name}")

    def _copy_rest(self, name: str, reader: BinaryIO, writer: BinaryIO, digest: Any) -> None:  # noqa: ANN401 (hashlib has no public type)
        """Copy from where both files stand, and note each stretch once it is durable."""
        unflushed = 0
        for piece in _pieces(reader, None):
            digest.update(piece)
            writer.write(piece)
            unflushed += len(piece)
            self._pace.passed(len(piece))
            self._say(unflushed)
            if unflushed >= self._flush_bytes:
                self._flush(name, writer)
                unflushed = 0
        self._flush(name, writer)

    def _flush(self, name: str, writer: BinaryIO) -> None:
        writer.flush()
        os.fsync(writer.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(writer.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._done[name] = writer.tell()
        words = {"manifest": self._manifest_digest(), "done": self._done}
        write_durably(self._folder / _PROGRESS, json.dumps(words))

    def _say(self, unflushed: int) -> None:
        """Never that all of it is there: who hears that may take the machine away, and the name is still to come."""
        self._tell(min(sum(self._done.values()) + unflushed, self.bytes - 1), self.bytes)

    def _complete(self) -> None:
        for path in self._staged.rglob("*"):
            if path.is_file() and path.relative_to(self._staged).as_posix() not in self._files:
                path.unlink()
        for parent, _, _ in os.walk(self._staged):
            fsync_folder(Path(parent))
        part = self._folder / NAME
        with part.open("wb") as file:
            file.write((self._source / NAME).read_bytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._staged / NAME)
        fsync_folder(self._staged)
        if self._target.exists():
            self._target.rename(self._folder / "replaced")
        self._staged.rename(self._target)
        fsync_folder(self._target.parent)
        shutil.rmtree(self._folder)


def drop_other_copies(checkpoints: Path, step: int | None) -> None:
    """Remove the interrupted copies of all steps but `step`: nobody will take them up."""
    for left in checkpoints.glob(f"{PREFIX}checkpoint-*"):
        if left.name != f"{PREFIX}checkpoint-{step}":
            shutil.rmtree(left, ignore_errors=True)


def _opened(path: Path) -> BinaryIO:
    with suppress(FileExistsError):
        # Readable for others, as every file of a checkpoint: the user may collect as somebody else.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    return path.open("r+b")


def _pieces(reader: BinaryIO, limit: int | None) -> Iterator[memoryview]:
    """The next `limit` bytes, or all that are left, piece by piece in one buffer."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    left = limit
    while left is None or left > 0:
        count = reader.readinto(buffer if left is None else buffer[: min(left, CHUNK_BYTES)])  # type: ignore[attr-defined]
        if not count:
            return
        left = None if left is None else left - count
        yield buffer[:count]
