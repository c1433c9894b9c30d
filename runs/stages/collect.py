"""Bring the model home and check every byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from remote.errors import RemoteError
from runs.card_cost import complete_card
from runs.facts import Collected, CollectedMore
from runs.moving import keep_moving
from runs.types import StageName
from templates.after.card_text import CARD
from templates.agent.manifest import NAME as MANIFEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        collected, more = context.get(Collected), context.get(CollectedMore)
        if collected is None or not is_home(Path(collected.target), collected.manifest_sha256):
            return False
        return more is None or all(is_home(Path(target), sha256) for target, sha256 in more.sha256.items())

    def act(self, context: RunContext) -> str:
        """Fetch and verify; what is home already, byte for byte, is not fetched again."""
        layout, target = context.layout(), context.loaded.resolve(context.spec.collect.target)
        more = {str(place): self._fetch(context, folder, place) for folder, place in further(context)}
        context.journal.put(
            context.run_id, CollectedMore({place: home.manifest_sha256 for place, home in more.items()})
        )
        result = self._fetch(context, layout.final, target)
        manifest = complete_card(target, context.journal, context.run_id)
        context.journal.put(context.run_id, Collected(str(target), result.files, result.size_bytes, manifest))
        self._tell(context, result.manifest_sha256)
        others = f", and {', '.join(more)}" if more else ""
        return f"{result.files} files, {result.size_bytes / 1e6:.1f} MB, verified, in {target}{others}"

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
    if spec.collect.stages == "all":
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
