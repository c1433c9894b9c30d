"""Bring the model home and check every byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from remote.errors import RemoteError, TransferError
from runs.delivery import blob_place, output_flags
from runs.facts import Collected, Prepared
from runs.moving import keep_moving
from runs.pulling import BLOB_SECRETS
from runs.secrets import read_secrets
from runs.spec.collect import beside
from runs.types import StageName
from templates.agent.manifest import NAME as MANIFEST_NAME

if TYPE_CHECKING:
    from remote.collect import Collected as Home
    from remote.outputs import Outputs
    from remote.session import Session
    from remote.types import TransferProgress
    from runs.context import RunContext


class Collect:
    """Everything promised is at its destinations; SHA-256 and safetensors headers agree."""

    name = StageName.COLLECT
    title = "bringing the model home"

    def is_done(self, context: RunContext) -> bool:
        """It was verified at its destinations, and every file that came here is still there."""
        collected = context.get(Collected)
        if collected is None:
            return False
        return "://" in collected.target or is_home(Path(collected.target), collected.manifest_sha256)

    def act(self, context: RunContext) -> str:
        """Deliver, fetch and verify; what is there already, byte for byte, does not move again."""
        collect = context.spec.collect
        delivered = self._deliver(context)
        if collect.home is None:
            collected = delivered
        else:
            collected = replace(self._bring_home(context, context.loaded.resolve(collect.home)), blob=delivered.blob)
        context.journal.put(context.run_id, collected)
        if collect.home is not None:
            self._tell(context, collected.manifest_sha256)
        where = collected.target + (f" and {collected.blob}" if collected.blob not in {"", collected.target} else "")
        return f"{collected.files} files, {collected.size_bytes / 1e6:.1f} MB, verified, in {where}"

    def _deliver(self, context: RunContext) -> Collected:
        """What is in blob storage: the machine has brought it there itself, or does so now."""
        from remote.collect import read_manifest
        from remote.outputs import deliver, read_delivered

        layout, session = context.layout(), context.session(self.name)
        manifest = read_manifest(session, layout, layout.final)
        files, size = len(manifest.files), sum(file.size_bytes for file in manifest.files)
        place = blob_place(context.spec, context.run_id)
        if place is None:
            return Collected("", files, size, manifest.sha256)
        delivered = read_delivered(session, layout)
        if delivered is None or delivered.manifest_sha256 != manifest.sha256:
            context.reporter.waiting(self.name, f"{place} (from the machine itself)")
            secrets = read_secrets(context.spec.secrets)
            delivered = deliver(
                session, layout, context.require(Prepared).python, output_flags(context.spec.collect), place=place,
                secrets={name: secrets[name] for name in BLOB_SECRETS if name in secrets},
            )  # fmt: skip
        if delivered.manifest_sha256 != manifest.sha256:
            raise TransferError(f"the machine has delivered another model than it has: {place}")
        return Collected(f"{place}/final", files, size, manifest.sha256, blob=f"{place}/final", home_bytes=0)

    def _bring_home(self, context: RunContext, target: Path) -> Collected:
        from remote.collect import collect

        layout, limit = context.layout(), context.spec.transfer_bytes_per_second

        def move(session: Session, progress: TransferProgress) -> Home:
            return collect(session, layout, layout.final, target, progress=progress, limit_bytes_per_second=limit)

        result = keep_moving(context, self.name, f"to {target}", move)
        near = target.with_name(beside(target))
        others = self._bring_others(context, near)
        return Collected(
            target=str(target), files=result.files, size_bytes=result.size_bytes,
            manifest_sha256=result.manifest_sha256, beside=str(near) if others else "",
            home_bytes=result.size_bytes + others,
        )  # fmt: skip

    def _bring_others(self, context: RunContext, target: Path) -> int:
        """Logs, metrics and chosen checkpoints, as the run file wants them; gives their bytes."""
        from remote.outputs import fetch_outputs, read_outputs

        spec, layout, python = context.spec, context.layout(), context.require(Prepared).python
        if spec.collect.checkpoints == "none" and not spec.collect.logs and not spec.collect.metrics:
            return 0

        def move(session: Session, progress: TransferProgress) -> Outputs:
            outputs = read_outputs(session, layout, python, output_flags(spec.collect))
            fetch_outputs(
                session, layout, outputs, target, progress=progress,
                limit_bytes_per_second=spec.transfer_bytes_per_second,
            )  # fmt: skip
            return outputs

        outputs = keep_moving(context, self.name, f"to {target}", move)
        for step in outputs.missing_steps:
            context.reporter.note(f"there is no checkpoint of this step to bring home: {step}")
        return outputs.size_bytes

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
