"""Bring everything that training reads onto the machine, verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runs.adoption.carried import carry
from runs.facts import Prepared, Synced
from runs.moving import keep_moving
from runs.nodes import machines_of, on_each
from runs.pulling import pull_request
from runs.secrets import read_secrets
from runs.spec.sources import LocalSource, parse_source
from runs.types import StageName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from remote.pull import Pulled, PullRequest
    from remote.session import Session
    from remote.tree import Links
    from remote.types import TransferProgress
    from runs.context import RunContext


@dataclass(frozen=True, slots=True)
class Brought:
    """Where something is on the machine, and the bytes that were sent from here, or fetched there."""

    path: str
    sent_bytes: int = 0
    pulled_bytes: int = 0


@dataclass(slots=True)
class Moved:
    """Everything that one pass brought."""

    sent_bytes: int = 0
    pulled_bytes: int = 0

    def take(self, brought: Brought) -> str:
        """Count it, and give where it is."""
        self.sent_bytes += brought.sent_bytes
        self.pulled_bytes += brought.pulled_bytes
        return brought.path

    def words(self) -> str:
        """What was moved, in a line."""
        fetched = f"{self.pulled_bytes / 1e6:.1f} MB fetched on the machine, " if self.pulled_bytes else ""
        return f"{fetched}{self.sent_bytes / 1e6:.1f} MB sent and verified"


class Sync:
    """The base weights, the data set and the user's own files are on the machine."""

    name = StageName.SYNC
    title = "sending weights and data"

    def is_done(self, context: RunContext) -> bool:
        """An earlier pass verified everything; the workspace disk is durable."""
        return all(one.get(Synced) is not None for one in machines_of(context))

    def act(self, context: RunContext) -> str:
        """Send or fetch what is missing, to each machine; what is there already, byte for byte, is skipped."""
        return on_each(context, self._sync)

    def _sync(self, context: RunContext) -> str:
        layout, spec = context.layout(), context.spec
        moved = Moved()
        for item in spec.sync:
            moved.take(
                self._bring(
                    context, item.source, f"{layout.workspace}/{item.target}",
                    ignore=item.ignore, links=item.links, sha256=item.sha256,
                )
            )  # fmt: skip
        model = moved.take(
            self._bring(
                context, spec.model.source, layout.path("inputs", "model"), sha256=spec.model.sha256, is_model=True
            )
        )
        data = moved.take(
            self._bring(context, spec.data.source, layout.path("inputs", "data"), sha256=spec.data.sha256)
        )
        further = self._bring_further(context, moved)
        synced = Synced(model=model, data=data, bytes_sent=moved.sent_bytes, **further)
        carry(context.session(self.name), layout, synced)
        context.journal.put(context.run_id, synced)
        return moved.words()

    def _bring_further(self, context: RunContext, moved: Moved) -> dict[str, Any]:
        """The stages' own data, the questions and the tasks, as `Synced` has them."""
        layout, spec, after = context.layout(), context.spec, context.spec.after
        stage_data, questions, task_folder = dict[str, str](), "", ""
        for stage in spec.stages:
            if stage.data is not None:
                where = layout.path("inputs", "stages", stage.name)
                brought = self._bring(context, stage.data.source, where, sha256=stage.data.sha256)
                stage_data[stage.name] = moved.take(brought)
        if after.infer.questions is not None:
            questions = moved.take(self._bring(context, after.infer.questions, layout.path("inputs", "questions")))
        if after.evaluate.task_folder is not None:
            task_folder = moved.take(self._bring(context, after.evaluate.task_folder, layout.path("inputs", "tasks")))
        return {"stage_data": stage_data, "questions": questions, "task_folder": task_folder}

    def _bring(
        self,
        context: RunContext,
        text: str,
        target: str,
        *,
        ignore: Sequence[str] = (),
        links: Links = "refuse",
        sha256: str | None = None,
        is_model: bool = False,
    ) -> Brought:
        """Bring one source to `target` on the machine."""
        source = parse_source(text)
        if not isinstance(source, LocalSource):
            request = pull_request(
                text, source, read_secrets(context.spec.secrets), sha256=sha256, ignore=ignore, is_model=is_model
            )
            return self._pull(context, request, target)
        local = context.loaded.resolve(source.path)
        where = f"{target}/{local.name}" if local.is_file() else target
        return Brought(where, sent_bytes=self._send(context, local, where, ignore=ignore, links=links))

    def _pull(self, context: RunContext, request: PullRequest, target: str) -> Brought:
        """Have the machine fetch a source; over a new connection, and from where it stood, when the old one breaks."""
        from remote.pull import pull

        python = context.require(Prepared).python

        def move(session: Session, progress: TransferProgress) -> Pulled:
            return pull(session, context.layout(), python, request, target, progress=progress)

        done = keep_moving(context, self.name, f"{request.source} (fetched on the machine)", move)
        return Brought(done.path, pulled_bytes=done.fetched_bytes)

    def _send(self, context: RunContext, local: Path, where: str, *, ignore: Sequence[str], links: Links) -> int:
        from remote.transfer import send_tree

        def move(session: Session, progress: TransferProgress) -> int:
            sent = send_tree(
                session, local, where, progress=progress, ignore=ignore, links=links,
                limit_bytes_per_second=context.spec.transfer_bytes_per_second,
            )  # fmt: skip
            return sent.bytes_sent

        return keep_moving(context, self.name, local.name, move)
