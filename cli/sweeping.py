"""What a sweep shows, asks and tells."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from cli.columns import print_columns
from cli.console import talk
from cli.reporting import reporter
from cli.words import dollars, duration, time_of_day
from runs.sweep_removal import Removal, remove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.types import Cloud
    from runs.state_folder import StateFolder
    from runs.sweep import SweptRun

_HOURS_PER_DAY = 24
_COLOURS = {"running": "red", "starting": "red", "stopped": "red", "deallocated": "yellow"}


def check_may_ask() -> None:
    """Refuse to ask where nobody can answer.

    Raises:
        BadParameter: Standard input is no terminal.
    """
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; say --yes, too", param_hint="--remove")


def print_found(found: Sequence[SweptRun], where: str, *, is_looking: bool) -> None:
    """Print a line for each run, what lies outside its group below it, and what all of it costs."""
    console = talk()
    if not found:
        console.print(f"nothing of llamalift is left in {where}", markup=False)
        return
    print_columns(
        ("RUN", "OWNER", "AGE", "MACHINE", "THIS COMPUTER", "EXPIRES", "RESOURCES", "$/DAY"),
        [_cells(each) for each in found],
        colours=[("", "", "", _COLOURS.get(each.owned.power, ""), "", "", "", "") for each in found],
    )
    for each in found:
        for stray in each.owned.strays:
            console.print(f"note: {each.run_id}: outside its own group: {stray.ref.resource_id}", markup=False)
        if each.unpriced:
            console.print(f"note: {each.run_id}: no price is known for: {', '.join(each.unpriced)}", markup=False)
    total = sum(each.dollars_per_hour for each in found) * _HOURS_PER_DAY
    rehearsed = ", were it on Azure" if found[0].cloud == "rehearsal" else " at list prices"
    console.print(f"about {dollars(total)} a day{rehearsed}", markup=False)
    again = "" if found[0].cloud == "azure" else f" --cloud {found[0].cloud}"
    if is_looking:
        console.print(f"delete it with `llamalift sweep --remove{again}`", markup=False)


def _cells(each: SweptRun) -> tuple[str, ...]:
    return (
        each.run_id,
        each.owned.owner or "?",
        "?" if each.age_seconds is None else duration(each.age_seconds),
        str(each.owned.power),
        f"{each.here}, driven by {each.driver}" if each.driver else str(each.here),
        _expiry(each),
        str(len(each.owned.items)),
        f"{each.dollars_per_hour * _HOURS_PER_DAY:,.2f}{'+?' if each.unpriced else ''}",
    )


def _expiry(each: SweptRun) -> str:
    if each.owned.expires_at is None:
        return "?"
    at = f"{each.owned.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{at} (over)" if each.is_expired else at


def remove_found(
    found: Sequence[SweptRun], cloud: Cloud, state: StateFolder, *, yes: bool, discard: bool
) -> dict[str, Removal]:
    """Remove each run that the user agrees to, and tell what became of it."""
    removals: dict[str, Removal] = {}
    for each in found:
        if not yes and not typer.confirm(_question(each), err=True):
            removals[each.run_id] = Removal(is_removed=False, reason="you said no")
            continue
        with reporter(talk()) as report:
            removals[each.run_id] = remove(each, cloud, state, report, discard=discard)
        _tell(each.run_id, removals[each.run_id])
    return removals


def _question(each: SweptRun) -> str:
    age = "" if each.age_seconds is None else f", {duration(each.age_seconds)} old"
    count = len(each.owned.items)
    cost = dollars(each.dollars_per_hour * _HOURS_PER_DAY)
    risk = f"; {each.risk}" if each.risk else ""
    return f"delete {each.run_id} with {count} resource{'' if count == 1 else 's'} ({cost} a day{age}{risk})?"


def _tell(run_id: str, removal: Removal) -> None:
    console = talk()
    for line in removal.confirmed:
        at = time_of_day(line.confirmed_gone_at)
        console.print(f"  {line.kind:<23} {line.name}  gone, 404 at {at}", markup=False)
    if removal.is_removed:
        console.print(f"{run_id}: nothing is left", markup=False)
        return
    console.print(f"{run_id}: left as it is: {removal.reason}", markup=False)
    for resource_id, why in removal.remaining:
        console.print(f"  left: {resource_id}{f': {why}' if why else ''}", markup=False)
    if removal.hint:
        console.print(f"  hint: {removal.hint}", markup=False)


def found_json(
    found: Sequence[SweptRun], removals: Mapping[str, Removal], *, cloud: str, subscription_id: str
) -> dict[str, Any]:
    """Plain values: what was found, and what became of it."""
    return {
        "schema": 1,
        "cloud": cloud,
        "subscription_id": subscription_id,
        "runs": [_run_json(each, removals.get(each.run_id)) for each in found],
        "left": sum(not (removals[each.run_id].is_removed if each.run_id in removals else False) for each in found),
        "dollars_per_day": sum(each.dollars_per_hour for each in found) * _HOURS_PER_DAY,
    }


def _run_json(each: SweptRun, removal: Removal | None) -> dict[str, Any]:
    expires, made = each.owned.expires_at, each.owned.created_at
    return {
        "run_id": each.run_id,
        "owner": each.owned.owner,
        "created_at": made.isoformat() if made else None,
        "age_seconds": each.age_seconds,
        "expires_at": expires.isoformat() if expires else None,
        "is_expired": each.is_expired,
        "machine": str(each.owned.power),
        "this_computer": str(each.here),
        "driver": each.driver,
        "risk": each.risk,
        "dollars_per_day": each.dollars_per_hour * _HOURS_PER_DAY,
        "unpriced": list(each.unpriced),
        "resources": [
            {"kind": str(item.ref.kind), "name": item.ref.name, "resource_id": item.ref.resource_id,
             "in_own_group": item.is_inside}
            for item in each.owned.items
        ],
        "removal": asdict(removal) if removal else None,
    }  # fmt: skip
