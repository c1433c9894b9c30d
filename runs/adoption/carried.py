"""Facts of a run that travel with its workspace: what its stages learned, for a client that has lost the journal."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from runs.facts import Prepared, Submitted, Synced

if TYPE_CHECKING:
    from remote.layout import RunLayout
    from remote.session import Session

Carried = Prepared | Synced | Submitted
_Kind = TypeVar("_Kind", Prepared, Synced, Submitted)


def carry(session: Session, layout: RunLayout, fact: Carried) -> None:
    """Leave a copy of a fact on the machine; it appears at once and whole."""
    from remote.transfer import send_bytes

    send_bytes(session, json.dumps(asdict(fact)).encode(), _path(layout, type(fact)), mode=0o644)


def carried(session: Session, layout: RunLayout, kind: type[_Kind]) -> _Kind | None:
    """The copy of a fact on the machine; None when there is none that can be understood."""
    from remote.adoption import read_file

    try:
        return kind(**json.loads(read_file(session, _path(layout, kind)) or b""))
    except (ValueError, TypeError):
        return None


def _path(layout: RunLayout, kind: type[object]) -> str:
    return layout.path("client", f"{kind.__name__}.json")
