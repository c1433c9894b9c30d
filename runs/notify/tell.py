"""Tells of one occasion, each way that is asked for. What does not work is noted, and nothing else comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.facts import Collected, Notified
from runs.notify.senders import Message, NotToldError, on_desktop, to_webhook
from runs.notify.settings import read_config, settings_of
from runs.secrets import masker_for, read_secrets
from templates.agent.limits import budget_level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remote.agent import AgentStatus
    from runs.context import RunContext
    from runs.notify.settings import Settings
    from runs.receipt import Receipt


def tell_done(context: RunContext, receipt: Receipt | None) -> None:
    """The run has come to its end; with a receipt, nothing of it is left."""
    collected = context.get(Collected)
    model = "without a model" if collected is None else f"its model is in {collected.target}"
    end = "the machine is still up" if receipt is None else f"nothing is left; {receipt.cost_words}"
    _tell(context, "done", Message(f"{context.run_id} is done", f"{model}; {end}"))


def tell_failed(context: RunContext, error: Exception) -> None:
    """The run was stopped by `error`, and somebody has to look."""
    hint = getattr(error, "hint", "")
    text = f"{error}\nhint: {hint}" if hint else str(error)
    _tell(context, "failed", Message(f"{context.run_id} has failed", text))


def tell_budget(context: RunContext, status: AgentStatus) -> None:
    """Tell when the next level of the dollar cap is passed; each level once in a run's life, whoever follows it."""
    spent, cap = status.limits.dollars_so_far, status.limits.dollars_cap
    if spent is None or not cap:
        return
    told, level = context.get(Notified) or Notified(), budget_level(spent, cap)
    if level <= told.budget_level:
        return
    context.journal.put(context.run_id, replace(told, budget_level=level))
    title = f"{context.run_id}: {level} % of its dollars are spent"
    raise_it = f"raise the cap with `llamalift extend {context.run_id} --dollars N`"
    _tell(
        context, "budget", Message(title, f"${spent:.2f} of ${cap:.2f}; at the cap the machine ends itself; {raise_it}")
    )


def _tell(context: RunContext, occasion: str, message: Message) -> None:
    try:
        settings = settings_of(context.spec.notify, read_config())
    except SpecError as error:
        context.reporter.note(f"nobody was told: {error}")
        return
    if settings.is_silent or occasion not in settings.when:
        return
    safe = masker_for([*context.spec.secrets, *([settings.webhook] if settings.webhook else [])])
    message = Message(safe.text(message.title), safe.text(message.text))
    for way, send in _ways(settings):
        context.journal.event(context.run_id, f"telling the {way}: {message.title}")
        try:
            send(message)
        except (NotToldError, SpecError) as error:
            context.journal.event(context.run_id, f"the {way} was not told: {error}")
            context.reporter.note(f"the {way} was not told: {error}")


def _ways(settings: Settings) -> Iterator[tuple[str, Callable[[Message], None]]]:
    name = settings.webhook
    if name is not None:
        yield "webhook", lambda message: to_webhook(read_secrets([name])[name], message)
    if settings.desktop:
        yield "desktop", on_desktop
