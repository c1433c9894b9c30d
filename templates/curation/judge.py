"""The judge of rows: each rule that looks at one row alone, in order; the first that drops a row is the one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates.curation.conditions import check_of
from templates.curation.languages import language_of
from templates.curation.rows import Texts, UnusableError, texts_of
from templates.curation.rules import UNUSABLE, LanguageCondition, Rule, RuleSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from templates.curation.conditions import Check


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row before it is compared with others.

    Attributes:
        texts: Its texts; None when it has none.
        rule: Name of the rule that drops it; empty when none does.
        why: Because of what.
    """

    texts: Texts | None
    rule: str = ""
    why: str = ""


class Judge:
    """Applies a rule set's row rules; compiled once, used for many batches."""

    def __init__(self, rules: RuleSet, engine: str | None = None) -> None:
        """Compile the rules.

        Raises:
            PatternError: RE2 does not take a regular expression.
        """
        self._rules = [(rule, _check(rule, engine)) for rule in rules.row_rules]

    def verdicts(self, rows: Sequence[object]) -> list[Verdict]:
        """Judge a batch of rows."""
        verdicts = [_read(row) for row in rows]
        for rule, check in self._rules:
            standing = [number for number, verdict in enumerate(verdicts) if not verdict.rule]
            texts = [verdicts[number].texts for number in standing]
            reasons = check([one.at(rule.where) for one in texts if one is not None])
            for number, reason in zip(standing, reasons, strict=True):
                if reason is not None:
                    verdicts[number] = Verdict(verdicts[number].texts, rule.name, reason)
        return verdicts


def _read(row: object) -> Verdict:
    try:
        return Verdict(texts_of(row))
    except UnusableError as error:
        return Verdict(None, UNUSABLE, str(error))


def _check(rule: Rule, engine: str | None) -> Check:
    """The check of a rule; of one that keeps, turned round."""
    if not rule.drops and isinstance(rule.condition, LanguageCondition):
        return _other_language(rule.condition)
    check = check_of(rule.condition, engine)
    if rule.drops:
        return check
    return lambda rows: ["does not meet it" if reason is None else None for reason in check(rows)]


def _other_language(condition: LanguageCondition) -> Check:
    def check(rows: Sequence[tuple[str, ...]]) -> list[str | None]:
        """Turned round, a text without a language would go, and that is not what people mean."""
        found = [language_of("\n".join(texts)) for texts in rows]
        return [None if language is None or language in condition.languages else language for language in found]

    return check
