"""What was decided for a run, as two tags: so that a computer which has only the account knows it, too."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runs.facts import Decided

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.adoption_types import RunInCloud
    from runs.types import RunRow

MACHINE_TAG = "llamalift-machine"
TERMS_TAG = "llamalift-terms"
# Azure's limit for a tag's value.
_LONGEST_TAG = 256
UNKNOWN = "unknown"
_IMAGE_PARTS = 4


def decision_tags(row: RunRow, decided: Decided) -> dict[str, str]:
    """The two tags; each is one line of JSON of at most 256 characters."""
    machine = {
        "region": decided.region, "zone": decided.zone, "size": decided.size, "spot": decided.spot,
        "image": decided.image, "gib": decided.workspace_gib, "evicted": decided.evictions_per_hour,
    }  # fmt: skip
    terms = {
        "created": row.created_at, "deadline": decided.deadline_at, "cap": decided.dollars_cap,
        "hour": decided.dollars_per_hour, "machine": decided.machine_dollars_per_hour,
        "disk": decided.disk_dollars_per_hour, "address": decided.address_dollars_per_hour,
        "save": decided.save_seconds, "basis": "",
    }  # fmt: skip
    room = _LONGEST_TAG - len(_line(terms))
    # A few words for people; the figures must fit.
    basis = decided.price_basis.encode("ascii", "ignore").decode()[: max(0, room)]
    return {MACHINE_TAG: _line(machine), TERMS_TAG: _line({**terms, "basis": basis})}


def decided_from(found: RunInCloud, subscription_id: str) -> Decided:
    """What was decided, from the tags; what can be read back from the machine, its disk and the rule counts more.

    What neither shows (the run was made by an older llamalift, or its tags were changed) is 0, or the word `unknown`.
    """
    machine, terms = _mapping(found.tags.get(MACHINE_TAG)), _mapping(found.tags.get(TERMS_TAG))
    # Limits are only ever raised, and `extend` tells the group alone.
    raised = _mapping(found.group.tags.get(TERMS_TAG))
    image = found.image or str(machine.get("image", ""))
    decided = Decided(
        subscription_id=subscription_id,
        region=str(machine.get("region") or found.group.region),
        zone=str(machine["zone"]) if machine.get("zone") else None,
        image=image if len(image.split(":")) == _IMAGE_PARTS else ":".join([UNKNOWN] * _IMAGE_PARTS),
        caller_address=found.caller_address,
        workspace_gib=found.workspace_gib or int(_number(machine, "gib")),
        size=str(machine.get("size") or UNKNOWN),
        spot=machine.get("spot") is True,
        machine_dollars_per_hour=_number(terms, "machine"),
        disk_dollars_per_hour=_number(terms, "disk"),
        address_dollars_per_hour=_number(terms, "address"),
        price_basis=str(terms.get("basis") or UNKNOWN),
        dollars_per_hour=_number(terms, "hour"),
        dollars_cap=max(_number(terms, "cap"), _number(raised, "cap")),
        deadline_at=max(_number(terms, "deadline"), _number(raised, "deadline")),
        save_seconds=_number(terms, "save"),
        evictions_per_hour=_number(machine, "evicted") or None,
    )
    place = found.placement
    if place is None:
        return decided
    return replace(decided, region=place.region, zone=place.zone, size=place.size, spot=place.spot)


def created_at_from(found: RunInCloud) -> float | None:
    """When the run was entered, in seconds since the epoch, or None."""
    return _number(_mapping(found.tags.get(TERMS_TAG)), "created") or None


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _mapping(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
