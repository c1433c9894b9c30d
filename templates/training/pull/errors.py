"""Why something cannot be fetched.

PullError          cannot be fetched; `kind` tells why
└── ChangedError   what is fetched is another version now than when it began
PassingError       a connection broke or a server is busy: tried again, and a PullError when that does not help
"""

from __future__ import annotations


class PullError(Exception):
    """It cannot be fetched; `kind` is for the program that reads us."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class ChangedError(PullError):
    """The source changed while it was fetched."""

    def __init__(self, what: str) -> None:
        super().__init__("changed", f"changed while it was fetched: {what}")


class PassingError(Exception):
    """The connection broke, or the server is busy: it is tried again."""
