"""Bring everything that training reads onto the machine, verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runs.adoption.carried import carry
from runs.facts import Prepared, Synced
from runs.moving import keep_moving
from runs.nodes import machines_of, on_each
from runs.secrets import read_secrets
from runs.types import StageName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from remote.session import Session
    from remote.tree import Links
    from remote.types import TransferProgress
    from runs.context import RunContext


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
        sent = 0
        for item in spec.sync:
            where = f"{layout.workspace}/{item.target}"
            sent += self._bring(context, item.source, where, ignore=item.ignore, links=item.links)[1]
        model, count = self._bring(context, spec.model.source, layout.path("inputs", "model"))
        sent += count
        data, count = self._bring(context, spec.data.source, layout.path("inputs", "data"))
        sent += count
        further, count = self._bring_further(context)
        synced = Synced(model=model, data=data, bytes_sent=sent + count, **further)
        carry(context.session(self.name), layout, synced)
        context.journal.put(context.run_id, synced)
        return f"{synced.bytes_sent / 1e6:.1f} MB sent and verified"

    def _bring_further(self, context: RunContext) -> tuple[dict[str, Any], int]:
        """The stages' own data, the questions and the tasks: what `Synced` says of them, and the bytes sent."""
        layout, spec, after = context.layout(), context.spec, context.spec.after
        stage_data, questions, task_folder, sent = dict[str, str](), "", "", 0
        for stage in spec.stages:
            if stage.data is not None:
                where = layout.path("inputs", "stages", stage.name)
                stage_data[stage.name], count = self._bring(context, stage.data.source, where)
                sent += count
        if after.infer.questions is not None:
            questions, count = self._bring(context, after.infer.questions, layout.path("inputs", "questions"))
            sent += count
        if after.evaluate.task_folder is not None:
            task_folder, count = self._bring(context, after.evaluate.task_folder, layout.path("inputs", "tasks"))
            sent += count
        return {"stage_data": stage_data, "questions": questions, "task_folder": task_folder}, sent

    def _bring(
        self, context: RunContext, source: str, target: str, *, ignore: Sequence[str] = (), links: Links = "refuse"
    ) -> tuple[str, int]:
        """Bring one source to `target` on the machine; returns where it is and the bytes sent from here."""
        from remote.hub import fetch_from_hub

        if source.startswith("hf://"):
            context.reporter.waiting(self.name, f"{source} (fetched on the machine)")
            python = context.require(Prepared).python
            where = fetch_from_hub(
                context.session(self.name), context.layout(), python, source, target,
                progress=lambda what: context.reporter.waiting(self.name, what),
                token=read_secrets(context.spec.secrets).get("HF_TOKEN"),
            )  # fmt: skip
            return where, 0
        local = context.loaded.resolve(source)
        where = f"{target}/{local.name}" if local.is_file() else target
        return where, self._send(context, local, where, ignore=ignore, links=links)

    def _send(self, context: RunContext, local: Path, where: str, *, ignore: Sequence[str], links: Links) -> int:
        from remote.transfer import send_tree

        def move(session: Session, progress: TransferProgress) -> int:
            sent = send_tree(
                session, local, where, progress=progress, ignore=ignore, links=links,
                limit_bytes_per_second=context.spec.transfer_bytes_per_second,
            )  # fmt: skip
            return sent.bytes_sent

        return keep_moving(context, self.name, local.name, move)
