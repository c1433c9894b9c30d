"""The words of a check-up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Area(StrEnum):
    """What a check is about."""

    COMPUTER = "computer"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        area: What it is about.
        subject: What was looked at.
        verdict: `ok`; `warn`: llamalift works, but not all of it; `fail`: it does not.
        fact: What was found.
        hint: What to do about it; empty for nothing.
    """

    area: Area
    subject: str
    verdict: Verdict
    fact: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """All checks.

    Attributes:
        schema: Version of this answer.
        version: Of llamalift.
        cloud: Which account was asked: `azure` or `rehearsal`; null when none was.
        verdict: The worst of all.
        findings: Every check, the computer first.
    """

    schema: int
    version: str
    cloud: str | None
    verdict: Verdict
    findings: tuple[Finding, ...]


def worst(findings: tuple[Finding, ...]) -> Verdict:
    """The worst verdict of all; `ok` when there are none."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)
