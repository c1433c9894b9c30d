"""Bring the model home and check every byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from remote.errors import RemoteError
from runs.facts import Collected
from runs.moving import keep_moving
from runs.types import StageName
from templates.agent.manifest import NAME as MANIFEST_NAME

if TYPE_CHECKING:
    from remote.collect import Collected as Home
    from remote.session import Session
    from remote.types import TransferProgress
    from runs.context import RunContext


class Collect:
    """The model is at its destination; SHA-256 and safetensors headers agree."""

    name = StageName.COLLECT
    title = "bringing the model home"

    def is_done(self, context: RunContext) -> bool:
        """It was verified at its destination, and every file is still there."""
        collected = context.get(Collected)
        return collected is not None and is_home(Path(collected.target), collected.manifest_sha256)

    def act(self, context: RunContext) -> str:
        """Fetch and verify; what is home already, byte for byte, is not fetched again."""
        from remote.collect import collect

        layout = context.layout()
        target = context.loaded.resolve(context.spec.collect.target)

        def move(session: Session, progress: TransferProgress) -> Home:
            return collect(
                session, layout, layout.final, target, progress=progress,
                limit_bytes_per_second=context.spec.transfer_bytes_per_second,
            )  # fmt: skip

        result = keep_moving(context, self.name, f"to {target}", move)
        context.journal.put(
            context.run_id,
            Collected(
                target=str(target), files=result.files, size_bytes=result.size_bytes,
                manifest_sha256=result.manifest_sha256,
            ),
        )  # fmt: skip
        self._tell(context, result.manifest_sha256)
        return f"{result.files} files, {result.size_bytes / 1e6:.1f} MB, verified, in {target}"

    def _tell(self, context: RunContext, manifest_sha256: str) -> None:
        """Without being told, a machine that ends itself keeps the disk: that costs, and loses nothing."""
        from remote.agent import tell_collected

        try:
            tell_collected(context.session(self.name), context.layout(), manifest_sha256)
        except RemoteError as error:
            context.journal.event(context.run_id, f"the machine does not know that its model is home: {error}")


def is_home(target: Path, manifest_sha256: str) -> bool:
    """Whether `target` holds the very model with this manifest, as far as names and sizes tell."""
    manifest = target / MANIFEST_NAME
    if not manifest.is_file():
        return False
    data = manifest.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest_sha256:
        return False
    files = {target / path: entry["size"] for path, entry in json.loads(data)["files"].items()}
    return all(file.is_file() and file.stat().st_size == size for file, size in files.items())
