"""Bring the model home, to blob storage or to both, and check every byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from remote.errors import RemoteError, TransferError
from runs.card_cost import complete_card
from runs.delivery import blob_place, deliver_flags, output_flags
from runs.facts import Collected, CollectedMore, Prepared
from runs.moving import keep_moving
from runs.pulling import BLOB_SECRETS
from runs.secrets import read_secrets
from runs.spec.collect import beside
from runs.types import StageName
from templates.after.card_text import CARD
from templates.agent.manifest import NAME as MANIFEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote.collect import Collected as Home
    from remote.outputs import Outputs
    from remote.session import Session
    from remote.types import TransferProgress
    from runs.context import RunContext


class Collect:
    """The model is at its destination; SHA-256 and safetensors headers agree."""

    name = StageName.COLLECT
    title = "bringing the model home"

    def is_done(self, context: RunContext) -> bool:
        """It was verified at its destinations, and every file that came here is still there."""
        collected, more = context.get(Collected), context.get(CollectedMore)
        if collected is None:
            return False
        if "://" not in collected.target and not is_home(Path(collected.target), collected.manifest_sha256):
            return False
        return more is None or all(is_home(Path(target), sha256) for target, sha256 in more.sha256.items())

    def act(self, context: RunContext) -> str:
        """Deliver, fetch and verify; what is there already, byte for byte, does not move again."""
        delivered = self._deliver(context)
        more = {str(place): self._fetch(context, folder, place) for folder, place in further(context)}
        context.journal.put(
            context.run_id, CollectedMore({place: home.manifest_sha256 for place, home in more.items()})
        )
        home = context.spec.collect.home
        collected = delivered
        if home is not None:
            collected = replace(self._bring_home(context, context.loaded.resolve(home)), blob=delivered.blob)
        context.journal.put(context.run_id, collected)
        if home is not None:
            self._tell(context, delivered.manifest_sha256)
        where = [collected.target, *([collected.blob] if collected.blob not in {"", collected.target} else []), *more]
        return f"{collected.files} files, {collected.size_bytes / 1e6:.1f} MB, verified, in {', and '.join(where)}"

    def _deliver(self, context: RunContext) -> Collected:
        """The model as the machine has it; in blob storage, where the machine has brought it, or does so now."""
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
                session, layout, context.require(Prepared).python, deliver_flags(context.spec), place=place,
                secrets={name: secrets[name] for name in BLOB_SECRETS if name in secrets},
            )  # fmt: skip
        if delivered.manifest_sha256 != manifest.sha256:
            raise TransferError(f"the machine has delivered another model than it has: {place}")
        return Collected(f"{place}/final", files, size, manifest.sha256, blob=f"{place}/final", home_bytes=0)

    def _bring_home(self, context: RunContext, target: Path) -> Collected:
        result = self._fetch(context, context.layout().final, target)
        near = target.with_name(beside(target))
        others = self._bring_others(context, near)
        manifest = complete_card(target, context.journal, context.run_id)
        return Collected(
            str(target), result.files, result.size_bytes, manifest,
            beside=str(near) if others else "", home_bytes=result.size_bytes + others,
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

    def _fetch(self, context: RunContext, folder: str, target: Path) -> Home:
        from remote.collect import collect

        def move(session: Session, progress: TransferProgress) -> Home:
            return collect(
                session, context.layout(), folder, target, progress=progress,
                limit_bytes_per_second=context.spec.transfer_bytes_per_second,
            )  # fmt: skip

        return keep_moving(context, self.name, f"to {target}", move)

    def _tell(self, context: RunContext, manifest_sha256: str) -> None:
        """Without being told, a machine that ends itself keeps the disk: that costs, and loses nothing."""
        from remote.agent import tell_collected

        try:
            tell_collected(context.session(self.name), context.layout(), manifest_sha256)
        except RemoteError as error:
            context.journal.event(context.run_id, f"the machine does not know that its model is home: {error}")


def further(context: RunContext) -> Iterator[tuple[str, Path]]:
    """What comes home beside the model: folders on the machine, each with its place here."""
    spec, layout = context.spec, context.layout()
    if spec.collect.stages == "all" and spec.collect.home is not None:
        for stage in spec.stages[:-1]:
            yield layout.stage_model(stage.name), context.loaded.stage_target(stage.name)
    if spec.after.has_results and has_results(context):
        yield layout.results, context.loaded.resolve(spec.after.target)


def has_results(context: RunContext) -> bool:
    """Whether there are answers or scores: where all of that failed, the machine has said so, and there are none."""
    from remote.command import Command

    whole = Command.of("test", "-f", f"{context.layout().results}/{MANIFEST_NAME}")
    return context.session(StageName.COLLECT).run(whole, check=False).exit_code == 0


def is_home(target: Path, manifest_sha256: str) -> bool:
    """Whether `target` holds the very model with this manifest, as far as names and sizes tell.

    Its card is its user's to change.
    """
    manifest = target / MANIFEST_NAME
    if not manifest.is_file():
        return False
    data = manifest.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest_sha256:
        return False
    files = {target / path: entry["size"] for path, entry in json.loads(data)["files"].items() if path != CARD}
    return all(file.is_file() and file.stat().st_size == size for file, size in files.items())
