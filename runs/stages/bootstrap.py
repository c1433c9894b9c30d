"""Set the machine up: trust it, wait for its agent, give it an environment, and try its GPUs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runs.adoption.carried import carry
from runs.extend import carry_out, is_pending
from runs.facts import Decided, Prepared, Trust
from runs.nodes import machines_of, on_each
from runs.types import StageName

if TYPE_CHECKING:
    from remote.layout import RunLayout
    from remote.session import Session
    from runs.context import RunContext


class Bootstrap:
    """The machine can train: its own host key is pinned, its agent answers, its environment is complete."""

    name = StageName.BOOTSTRAP
    title = "setting the machine up"

    def __init__(self, *, for_gpu: bool | None = None) -> None:
        """Make the environment for this machine, or, as `for_gpu` says, for another one with the same disk."""
        self._for_gpu = for_gpu

    def is_done(self, context: RunContext) -> bool:
        """An earlier pass left its facts, about this very machine; the environment is then complete for good."""
        return all(_is_set_up(one) for one in machines_of(context)) and not is_pending(context)

    def act(self, context: RunContext) -> str:
        """Set up what is missing, on all machines side by side; each part is cached on the machine."""
        words = on_each(context, self._set_up)
        # A machine that was started again has a quarter of an hour until its old limits end it once more.
        carry_out(context, lambda what: context.reporter.waiting(self.name, what))
        return words

    def _set_up(self, context: RunContext) -> str:
        from remote.layout import RunLayout
        from remote.machine import wait_for_workspace, wait_until_booted
        from remote.transfer import send_bytes

        def say(what: str) -> None:
            context.reporter.waiting(self.name, what)

        session = self._trusted_session(context)
        if _is_set_up(context):
            return "the machine knows its new limits"
        # The machine lets us in before its first boot is over.
        layout = RunLayout(wait_for_workspace(session, context.spec.storage.mount, progress=say), context.run_id)
        say("the agent")
        wait_until_booted(session, layout, progress=say)
        python = self._environment(context, session, layout)
        send_bytes(session, context.loaded.text.encode(), layout.run_file, mode=0o644)
        prepared = Prepared(layout.workspace, python, host_key=context.require(Trust).own)
        carry(session, layout, prepared)
        context.journal.put(context.run_id, prepared)
        return "agent answers, environment complete"

    def _trusted_session(self, context: RunContext) -> Session:
        """A connection under the machine's own key, pinned before the machine starts to use it."""
        from remote.machine import rotate_host_key

        session = context.session(self.name)
        if context.require(Trust).one_time:
            context.reporter.waiting(self.name, "the machine's own host key")
            rotate_host_key(session, lambda key: self._pin(context, key))
            session = context.session(self.name, fresh=True)
        return session

    def _pin(self, context: RunContext, public_line: str) -> None:
        context.journal.put(context.run_id, replace(context.require(Trust), own=public_line))

    def _environment(self, context: RunContext, session: Session, layout: RunLayout) -> str:
        from remote.machine import check_gpus, ensure_git_lfs, install_environment
        from remote.transfer import send_bytes
        from runs.plan.sizes import gpus_of
        from templates.environment import lock_for
        from templates.zipapps import trainer_zipapp

        def say(what: str) -> None:
            context.reporter.waiting(self.name, what)

        if note := ensure_git_lfs(session):
            context.reporter.note(note)
        gpus = gpus_of(context.require(Decided).size)
        for_gpu = gpus > 0 if self._for_gpu is None else self._for_gpu
        python = install_environment(session, layout, lock_for(gpu=for_gpu), gpu=for_gpu, progress=say)
        send_bytes(session, trainer_zipapp(), layout.trainer_zipapp, mode=0o644)
        if gpus:
            say("the GPU check")
            check_gpus(session, python, layout, gpus)
        return python


def _is_set_up(context: RunContext) -> bool:
    """Whether the machine there is now was set up. One with the same disk that replaced it has a system of its own."""
    prepared, trust = context.get(Prepared), context.get(Trust)
    if prepared is None or trust is None or trust.one_time:
        return False
    return prepared.host_key in {"", trust.own}
