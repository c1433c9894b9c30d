"""On what terms a run goes, in words: the account, the dollars, the limits, the kill switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.plan import Plan


def account_words(plan: Plan, now: float) -> str:
    """Who pays, what they may do, and how old that is."""
    survey = plan.survey
    if survey is None:
        return "nobody was asked; list prices, and no limits are known"
    rights = [
        _may(survey.rights.may_create, "may create resources"),
        _may(survey.rights.may_assign_roles, "may assign roles"),
    ]
    name = survey.account.display_name or survey.account.subscription_id
    return f"{name}: {', '.join(rights)}; {_ages(plan, now)}"


def _may(may: bool | None, what: str) -> str:  # noqa: FBT001 - an answer, not a switch
    if may is None:
        return f"unknown whether you {what}"
    return what if may else what.replace("may", "may not", 1)


def _ages(plan: Plan, now: float) -> str:
    facts = plan.facts
    words = f"limits {_age(facts.account_at, now)}, prices {_age(facts.market_at, now)}"
    if facts.is_offline:
        return f"offline: {words}"
    return words if "old" not in words else f"{words} (--refresh asks anew)"


def _age(at: float | None, now: float) -> str:
    """`asked now`, `12 m old`."""
    if at is None:
        return "unknown"
    minutes = int(max(0.0, now - at) // 60)
    if minutes < 1:
        return "asked now"
    if minutes < 120:
        return f"{minutes} m old"
    return f"{minutes // 60} h old" if minutes < 2880 else f"{minutes // 1440} days old"


def cost_words(plan: Plan) -> str:
    """The whole run in dollars, part by part."""
    from cli.words import dollars

    cost = plan.cost
    if cost.hours is None or cost.total is None or cost.on_demand_total is None:
        return f"{dollars(cost.per_hour)} an hour: {_hourly(plan)}"
    terms = "on demand"
    if plan.spot:
        terms = f"spot ({dollars(cost.on_demand_total)} on demand)"
    disks = (cost.disk_per_hour + cost.os_disk_per_hour) * cost.hours
    parts = (
        f"machine {cost.machine_per_hour * cost.hours:.2f}",
        f"disks {disks:.2f}",
        f"address {cost.address_per_hour * cost.hours:.2f}",
        f"egress {cost.egress:.2f}",
    )
    return f"{dollars(cost.total)} {terms} = {' + '.join(parts)};  cap {dollars(plan.limits.dollars)}"


def _hourly(plan: Plan) -> str:
    from cli.words import dollars

    cost = plan.cost
    disks = dollars(cost.disk_per_hour + cost.os_disk_per_hour)
    return f"machine {dollars(cost.machine_per_hour)} + disks {disks} + address"


def assumption_words(plan: Plan) -> str:
    """The price of an hour, and what the sum takes for granted."""
    from cli.words import dollars

    cost = plan.cost
    hourly = "" if cost.total is None else f"{dollars(cost.per_hour)} an hour: {_hourly(plan)}; "
    spot = "no eviction; " if plan.spot else ""
    return f"{hourly}assumes {spot}the first 100 GB of egress used up; {cost.basis}"


def limit_words(plan: Plan) -> str:
    """When the machine ends itself, and why then."""
    from cli.words import dollars

    limits = plan.limits
    return (
        f"{limits.hours:g} h ({limits.hours_basis}), {dollars(limits.dollars)} ({limits.dollars_basis}), "
        f"idle {limits.idle_minutes} m, lost client {limits.lost_client_hours:g} h, "
        f"workspace kept {limits.discard_after_days:g} days"
    )


def switch_words(plan: Plan, now: float) -> str:
    """What a limit can do, and what stands behind it."""
    from runs.plan.switches import switches_of

    switches = switches_of(plan.limits, plan.survey, now)
    at = switches.backstop_at
    behind = f"behind it Azure's auto-shutdown at {at:%H:%M} UTC" if at else f"no backstop: {switches.why_no_backstop}"
    return f"at a limit {switches.ending}; {behind}"
