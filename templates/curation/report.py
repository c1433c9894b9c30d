"""What a curation did, as a value and as JSON: the same input and rules give the same report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from templates.curation.rules import SCHEMA
from templates.curation.tally import Sample, Tally, sorted_reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_REASONS = 50


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What one rule did.

    Attributes:
        name: The rule's name.
        dropped: Rows that it dropped.
        reasons: Because of what, with the number of rows; the commonest first.
        samples: The first rows that it dropped.
    """

    name: str
    dropped: int
    reasons: tuple[tuple[str, int], ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a curation did.

    Attributes:
        rules_name: What the rules are called.
        rules_sha256: SHA-256 of the rules.
        input_names: Names of the input's files.
        input_sha256: SHA-256 of the input; of several files, of their digests.
        output_sha256: SHA-256 of the output.
        rows: Rows of the input.
        kept: Rows of the output.
        rules: What each rule did, in the order of a row's way.
        lengths_before: Usable rows by the length of their answers: bin N is from 2 ** (N - 1) to 2 ** N - 1 characters.
        lengths_after: Kept rows, likewise.
    """

    rules_name: str
    rules_sha256: str
    input_names: tuple[str, ...]
    input_sha256: str
    output_sha256: str
    rows: int
    kept: int
    rules: tuple[RuleReport, ...]
    lengths_before: tuple[int, ...]
    lengths_after: tuple[int, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over rules, input and output: the one word by which a run says what it was trained on."""
        return fingerprint_of(self.rules_sha256, self.input_sha256, self.output_sha256)

    def to_json(self) -> str:
        """Write it, for programs."""
        value: dict[str, Any] = {"schema": SCHEMA, "fingerprint": self.fingerprint, **asdict(self)}
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def fingerprint_of(rules_sha256: str, input_sha256: str, output_sha256: str) -> str:
    """SHA-256, in hex, of the three digests in hex, one on each line."""
    return hashlib.sha256(f"{rules_sha256}\n{input_sha256}\n{output_sha256}\n".encode()).hexdigest()


def rule_reports(names: Sequence[str], tally: Tally) -> tuple[RuleReport, ...]:
    """Give what each rule did; a rule that dropped nothing is among them."""
    return tuple(
        RuleReport(
            name,
            tally.dropped[name],
            tuple(sorted_reasons(tally.reasons[name], _MOST_REASONS)),
            tuple(tally.samples[name]),
        )
        for name in names
    )
