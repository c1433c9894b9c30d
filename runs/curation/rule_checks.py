"""What must hold between the keys of a rule, and between rules; looked for in raw values, beside all other faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runs.errors import Problem
from runs.spec.yaml_reader import path_words
from templates.curation.engine import compiled
from templates.curation.errors import PatternError
from templates.curation.patterns import regex_pattern
from templates.curation.rules import UNUSABLE, TextCondition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.spec.yaml_reader import Document, Place

_TEXT_KEYS = ("phrases", "regexes")
_OTHER_KEYS = ("characters", "words", "language", "empty", "truncated", "duplicates")
# Keys that only say more about another.
_COMPANIONS = {
    "match_case": _TEXT_KEYS,
    "within_first": _TEXT_KEYS,
    "whole_words": ("phrases",),
    "similarity": ("duplicates",),
}


def broken_rules(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with a rule file beyond single values."""
    values = document.values
    if not isinstance(values, dict):
        return
    rules = values.get("rules")
    if not rules and not values.get("include"):
        yield problem_at(document, (), "expected rules or include, found: neither")
    names: dict[str, int] = {}
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            yield from _broken(document, ("rules", number), rule)
            yield from _name_twice(document, ("rules", number), rule, names)


def problem_at(
    document: Document, place: Place, message: str, *, of_key: bool = False, suggestion: str = ""
) -> Problem:
    """Make a problem with its line."""
    position = document.position(place, of_key=of_key)
    line, column = (position.line, position.column) if position else (None, None)
    return Problem(path_words(place), message, line, column, suggestion)


def _broken(document: Document, place: Place, rule: dict[str, Any]) -> Iterator[Problem]:
    if ("drop" in rule) == ("keep" in rule):
        found = "both" if "drop" in rule else "neither"
        yield problem_at(document, place, f"expected drop or keep with the rule's name, found: {found}")
    conditions = [key for key in _OTHER_KEYS if key in rule]
    if any(key in rule for key in _TEXT_KEYS):
        conditions.append("phrases or regexes")
    if len(conditions) != 1:
        known, found = ", ".join([*_TEXT_KEYS, *_OTHER_KEYS]), ", ".join(conditions) or "none"
        yield problem_at(document, place, f"expected one condition ({known}), found: {found}")
    for key, partners in _COMPANIONS.items():
        if key in rule and not any(partner in rule for partner in partners):
            partner = " or ".join(partners)
            yield problem_at(document, (*place, key), f"says something only beside {partner}, found: {rule[key]}")
    if "similarity" in rule and rule.get("duplicates") == "exact":
        found = rule["similarity"]
        yield problem_at(document, (*place, "similarity"), f"only near duplicates have one, found: {found}")
    if "keep" in rule and "duplicates" in rule:
        yield problem_at(document, (*place, "keep"), f"duplicates can only be dropped, found: {rule['keep']}")
    yield from _empty_lists(document, place, rule)
    yield from _bad_regexes(document, place, rule)


def _empty_lists(document: Document, place: Place, rule: dict[str, Any]) -> Iterator[Problem]:
    for key in (*_TEXT_KEYS, "language"):
        if rule.get(key) == []:
            yield problem_at(document, (*place, key), "expected at least one, found: nothing")


def _bad_regexes(document: Document, place: Place, rule: dict[str, Any]) -> Iterator[Problem]:
    regexes = rule.get("regexes")
    for number, regex in enumerate(regexes if isinstance(regexes, list) else ()):
        if not isinstance(regex, str):
            continue
        try:
            compiled(regex_pattern(regex, TextCondition(match_case=rule.get("match_case") is True)))
        except PatternError as error:
            where = (*place, "regexes", number)
            yield problem_at(document, where, f"not a regular expression of RE2 ({error}), found: {regex}")


def _name_twice(document: Document, place: Place, rule: dict[str, Any], names: dict[str, int]) -> Iterator[Problem]:
    key = "drop" if "drop" in rule else "keep"
    name = rule.get(key)
    if not isinstance(name, str):
        return
    line = document.position((*place, key), of_key=False)
    if name == UNUSABLE:
        yield problem_at(document, (*place, key), f"a name of llamalift's own, found: {name}")
    if name in names:
        yield problem_at(document, (*place, key), f"the rule on line {names[name]} has this name too, found: {name}")
    elif line is not None:
        names[name] = line.line
