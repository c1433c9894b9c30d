"""Copies each durable checkpoint to blob storage while the training goes on, the newest first.

Run by the trainer's first rank, with which it ends: `python -m templates.training.mirror --checkpoints DIR --mirror
az://ACCOUNT/CONTAINER/PREFIX --keep N`. A mirror that does not answer never stops a training: it is told once and tried
again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from templates.agent.manifest import NAME, ManifestError
from templates.training import checkpoints, scratch
from templates.training.errors import DamagedCopyError, MirrorError
from templates.training.metrics import Metrics
from templates.training.orphans import die_with_parent

if TYPE_CHECKING:
    from templates.training.blob_mirror import BlobMirror

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 60.0
_NICENESS = 10


class Mirror:
    """Looks for the newest durable checkpoint that has no copy yet."""

    def __init__(self, url: str, durable: Path, fast: Path | None, keep: int) -> None:
        """Copy those in `durable`, read from `fast` where they are there, too; `keep` copies stay."""
        self._url = url
        self._durable = durable
        self._fast = fast
        self._keep = keep
        self._metrics = Metrics(durable.parent / "metrics.jsonl")
        self._blobs: BlobMirror | None = None
        self._newest = 0
        self._trouble = ""

    def look(self) -> bool:
        """Copy one if there is one to copy; whether there was.

        Raises:
            MirrorError: The storage account cannot be had, or refused.
        """
        step = scratch.newest_step(self._durable)
        if step == 0 or (self._blobs is not None and step <= self._newest):
            return False
        blobs = self._open()
        if step <= self._newest:
            return False
        began = time.monotonic()
        try:
            sent = blobs.upload(self._source(step))
        except (FileNotFoundError, ManifestError):
            # Pruned meanwhile: there is a newer one.
            return True
        blobs.prune(self._keep)
        self._newest, self._trouble = step, ""
        self._metrics.event("mirrored", step=step, seconds=round(time.monotonic() - began, 3), bytes=sent)
        return True

    def tell(self, trouble: str) -> None:
        """Tell the user, once for each kind of trouble."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._metrics.note(f"checkpoints are not mirrored for now: {trouble}")

    def _open(self) -> BlobMirror:
        if self._blobs is None:
            from templates.training.blob_mirror import BlobMirror

            blobs = BlobMirror.open(self._url)
            self._newest = next(iter(blobs.steps()), 0)
            self._blobs = blobs
        return self._blobs

    def _source(self, step: int) -> Path:
        """The copy on scratch reads faster, and leaves the durable disk to the drain."""
        durable = checkpoints.checkpoint_folder(str(self._durable), step)
        if self._fast is not None:
            fast = checkpoints.checkpoint_folder(str(self._fast), step)
            try:
                if (fast / NAME).read_bytes() == (durable / NAME).read_bytes():
                    return fast
            except FileNotFoundError:
                return durable
        return durable


def fetch_newer(url: str, target: Path, step: int, metrics: Metrics) -> bool:
    """Bring the newest copy to `target` if it is newer than `step`; whether there was one.

    A mirror that cannot be asked is told, and the run goes on with what it has.
    """
    from templates.training.blob_mirror import BlobMirror

    try:
        blobs = BlobMirror.open(url)
        for newest in blobs.steps():
            if newest <= step:
                return False
            metrics.note(f"checkpoint-{newest} is fetched from {url}")
            try:
                blobs.download(newest, checkpoints.checkpoint_folder(str(target), newest))
            except DamagedCopyError as error:
                metrics.note(str(error))
            else:
                return True
    except MirrorError as error:
        metrics.note(f"the mirror cannot be asked for a newer checkpoint: {error}")
    return False


def main(argv: list[str]) -> int:
    """Mirror until the trainer is gone; with `--once` until nothing is left to copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=Path, required=True, help="The durable checkpoints.")
    parser.add_argument("--mirror", required=True, help="az://ACCOUNT/CONTAINER/PREFIX.")
    parser.add_argument("--scratch", type=Path, help="Where they may be read faster.")
    parser.add_argument("--keep", type=int, default=1, help="How many copies stay.")
    parser.add_argument("--once", action="store_true", help="End when there is nothing to copy.")
    asked = parser.parse_args(argv)
    if not asked.once:
        die_with_parent()
    os.nice(_NICENESS)
    mirror = Mirror(asked.mirror, asked.checkpoints, asked.scratch, asked.keep)
    while True:
        try:
            busy = mirror.look()
        except MirrorError as error:
            mirror.tell(str(error))
            if asked.once:
                return 1
            time.sleep(_RETRY_SECONDS)
            continue
        if not busy:
            if asked.once:
                return 0
            time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
