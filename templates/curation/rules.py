"""Rules as values: what a rule file comes down to, and what travels to the machine as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Where = Literal["answer", "prompt", "all"]

# Raised when the same rules would decide otherwise: the fingerprint of old results must not be believed then.
SCHEMA = 1
# What is dropped whatever the rules say: the trainer refuses a file with such a row.
UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class TextCondition:
    """A phrase or a regular expression is found in one of the texts.

    Attributes:
        phrases: Literal texts; white space and typographic quotes count as their plain forms.
        regexes: Regular expressions in RE2's syntax.
        match_case: Upper and lower case differ.
        whole_words: A phrase neither begins nor ends within a word.
        within_first: Only so many characters from the beginning of each text are looked at; None for all.
    """

    phrases: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    match_case: bool = False
    whole_words: bool = False
    within_first: int | None = None


@dataclass(frozen=True, slots=True)
class LengthCondition:
    """The texts together have fewer than `under` or more than `over` of a unit."""

    unit: Literal["characters", "words"]
    under: int | None = None
    over: int | None = None


@dataclass(frozen=True, slots=True)
class LanguageCondition:
    """The texts are in one of these languages (ISO 639-1); texts whose language does not show are in none."""

    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmptyCondition:
    """One of the texts has neither a letter nor a digit."""


@dataclass(frozen=True, slots=True)
class TruncatedCondition:
    """One of the texts ends in the middle: of a sentence, or of a block of code."""


@dataclass(frozen=True, slots=True)
class DuplicateCondition:
    """An earlier row that all other rules keep has the same texts, or resembles it.

    Attributes:
        similarity: Least Jaccard similarity of the two rows' sets of word triples; None: the very same texts.
    """

    similarity: float | None = None


Condition = (
    TextCondition | LengthCondition | LanguageCondition | EmptyCondition | TruncatedCondition | DuplicateCondition
)

_KINDS: Mapping[str, type[Any]] = {
    "text": TextCondition,
    "length": LengthCondition,
    "language": LanguageCondition,
    "empty": EmptyCondition,
    "truncated": TruncatedCondition,
    "duplicate": DuplicateCondition,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: As the report calls it; no two rules of a set have the same.
        drops: Rows that meet the condition go; otherwise those that do not meet it.
        where: Which texts of a row it looks at.
        condition: What it looks for.
    """

    name: str
    drops: bool
    where: Where
    condition: Condition

    @property
    def is_duplicate(self) -> bool:
        """It compares rows with each other, and comes after all that look at one row alone."""
        return isinstance(self.condition, DuplicateCondition)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order in which a row meets them; the first that drops it is the one that counts.

    Attributes:
        name: What the set is called.
        rules: The rules; those that look for duplicates are applied last, among themselves in their order.
    """

    name: str
    rules: tuple[Rule, ...]

    @property
    def row_rules(self) -> tuple[Rule, ...]:
        """Those that look at one row alone."""
        return tuple(rule for rule in self.rules if not rule.is_duplicate)

    @property
    def duplicate_rules(self) -> tuple[Rule, ...]:
        """Those that compare rows."""
        return tuple(rule for rule in self.rules if rule.is_duplicate)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which a row can be dropped, in the order of a row's way."""
        return (UNUSABLE, *(rule.name for rule in (*self.row_rules, *self.duplicate_rules)))

    def to_json(self) -> str:
        """Write it; the same rules give the same text."""
        kinds = {kind: name for name, kind in _KINDS.items()}
        rules = [
            {
                "name": rule.name,
                "drops": rule.drops,
                "where": rule.where,
                "kind": kinds[type(rule.condition)],
                **asdict(rule.condition),
            }
            for rule in self.rules
        ]
        return json.dumps({"schema": SCHEMA, "name": self.name, "rules": rules}, sort_keys=True)

    @property
    def sha256(self) -> str:
        """SHA-256 of what the rules say, in hex; the set's own name takes no part."""
        value = json.loads(self.to_json())
        return hashlib.sha256(json.dumps([SCHEMA, value["rules"]], sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> RuleSet:
        """Read what `to_json` wrote.

        Raises:
            ValueError: It was written by another version.
        """
        value = json.loads(text)
        if value["schema"] != SCHEMA:
            raise ValueError(f"rules of another version, expected {SCHEMA}, found: {value['schema']}")
        return cls(value["name"], tuple(_rule(one) for one in value["rules"]))


def _rule(value: Mapping[str, Any]) -> Rule:
    fields = {
        name: tuple(field) if isinstance(field, list) else field
        for name, field in value.items()
        if name not in {"name", "drops", "where", "kind"}
    }
    return Rule(value["name"], value["drops"], value["where"], _KINDS[value["kind"]](**fields))
