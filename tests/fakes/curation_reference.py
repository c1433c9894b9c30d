"""Curation as anybody would write it in an afternoon: all rows in memory, one after the other, nothing clever.

What the real one does by processes, RE2, signatures and files must come to the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from templates.curation.rules import DuplicateCondition, LengthCondition, Rule, RuleSet, TextCondition

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUOTES = {"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"'}
_DASHES = dict.fromkeys("\u2010\u2011\u2013", "-")


def kept_rows(rows: Sequence[dict[str, Any]], rules: RuleSet) -> list[dict[str, Any]]:
    """The Alpaca rows that are left of usable ones."""
    standing = [row for row in rows if not any(_drops(rule, row) for rule in rules.row_rules)]
    for rule in rules.duplicate_rules:
        assert rule.condition == DuplicateCondition(None), "near ones are compared by `jaccard`"
        standing = [row for number, row in enumerate(standing) if not _repeats(rule, row, standing[:number])]
    return standing


def jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    """Similarity of two sets."""
    return len(one & other) / len(one | other) if one | other else 1.0


def plain(text: str) -> str:
    """Quotes and dashes plain, white space as one blank, case folded letter by letter."""
    text = "".join((_QUOTES | _DASHES).get(letter, letter) for letter in text)
    text = re.sub("[ \t\n\f\r\u00a0]+", " ", text)
    return "".join(letter.casefold() if len(letter.casefold()) == 1 else letter.lower() for letter in text)


def _texts(rule: Rule, row: dict[str, Any]) -> list[str]:
    prompts = [row["instruction"], *([row["input"]] if row.get("input") else [])]
    return {"answer": [row["output"]], "prompt": prompts, "all": [*prompts, row["output"]]}[rule.where]


def _drops(rule: Rule, row: dict[str, Any]) -> bool:
    condition, texts = rule.condition, _texts(rule, row)
    if isinstance(condition, TextCondition):
        seen = [text[: condition.within_first] for text in texts]
        meets = any(plain(phrase).strip() in plain(text) for phrase in condition.phrases for text in seen)
        meets = meets or any(re.search(regex, text, re.IGNORECASE) for regex in condition.regexes for text in seen)
    else:
        assert isinstance(condition, LengthCondition)
        length = sum(len(text.split()) if condition.unit == "words" else len(text) for text in texts)
        meets = condition.under is not None and length < condition.under
        meets = meets or (condition.over is not None and length > condition.over)
    return meets == rule.drops


def _repeats(rule: Rule, row: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> bool:
    texts = [text.strip() for text in _texts(rule, row)]
    return any(texts == [text.strip() for text in _texts(rule, one)] for one in earlier)


def word_triples(text: str) -> set[tuple[str, ...]]:
    """All runs of three words, in lower case and without punctuation."""
    words = re.findall(r"[^\W_]+", text.lower())
    padded = [*words, "", ""][:3] if 0 < len(words) < 3 else words
    return set(zip(padded, padded[1:], padded[2:], strict=False))
