"""The part of OData's `$filter` that the resource lists understand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioning.rehearsal.arm.store import Resource

_TERM = re.compile(r"^(?P<name>\w+) eq '(?P<value>(?:[^']|'')*)'$")
_READERS: Mapping[str, Callable[[Resource], str]] = {
    "resourcetype": lambda resource: resource.type,
    "name": lambda resource: resource.name,
    "resourcegroup": lambda resource: resource.group,
    "location": lambda resource: resource.region,
}


def terms(text: str | None) -> dict[str, str]:
    """`a eq 'b' and c eq 'd'` as a mapping with lower-case names.

    Raises:
        ArmError: 400 InvalidFilterInQueryString for anything else.
    """
    found: dict[str, str] = {}
    for part in re.split(r"\s+and\s+", text or "", flags=re.IGNORECASE) if text else []:
        term = _TERM.match(part.strip())
        if term is None:
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
        found[term["name"].lower()] = term["value"].replace("''", "'")
    return found


def matching(resources: Sequence[Resource], text: str | None) -> list[Resource]:
    """The resources that a filter lets through.

    Raises:
        ArmError: 400 InvalidFilterInQueryString for a filter that is not understood.
    """
    wanted = terms(text)
    tag_name, tag_value = wanted.pop("tagname", None), wanted.pop("tagvalue", None)
    unknown = wanted.keys() - _READERS.keys()
    if unknown or (tag_value is not None and tag_name is None):
        raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
    found = [each for each in resources if all(_equal(_READERS[key](each), value) for key, value in wanted.items())]
    return [each for each in found if tag_name is None or _tagged(each, tag_name, tag_value)]


def _tagged(resource: Resource, name: str, value: str | None) -> bool:
    tags = {key.lower(): text for key, text in (resource.body.get("tags") or {}).items()}
    return name.lower() in tags and (value is None or tags[name.lower()] == value)


def _equal(left: str, right: str) -> bool:
    return left.lower() == right.lower()
