"""Conditions at work: for a batch of rows, which of them meet one, and because of what."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from templates.curation.engine import Batch, compiled
from templates.curation.errors import PatternError
from templates.curation.languages import language_of
from templates.curation.patterns import any_regex_pattern, normal, phrase_patterns, regex_pattern
from templates.curation.rules import (
    Condition,
    EmptyCondition,
    LanguageCondition,
    LengthCondition,
    TextCondition,
    TruncatedCondition,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # For each row of a batch, given its texts: why it meets the condition, or None.
    Check = Callable[[Sequence[tuple[str, ...]]], list[str | None]]

_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_LETTER = re.compile(r"[^\W_]")
# What runs into a limit is long. Fewer words in the last line may be a heading, an item of a list or a signature.
_LONG_WORDS, _SENTENCE_WORDS = 60, 8
_OPEN_ENDS = frozenset(",([{/&=+-\u2013\u2014")


def check_of(condition: Condition, engine: str | None = None) -> Check:
    """Make the check of a condition that looks at one row alone.

    Args:
        condition: The condition.
        engine: See `engine.compiled`.

    Raises:
        PatternError: RE2 does not take one of its regular expressions.
    """
    match condition:
        case TextCondition():
            return _text_check(condition, engine)
        case LengthCondition():
            return lambda rows: [_wrong_length(texts, condition) for texts in rows]
        case LanguageCondition():
            return lambda rows: [_language(texts, condition) for texts in rows]
        case EmptyCondition():
            return lambda rows: [_first(texts, _emptiness) for texts in rows]
        case TruncatedCondition():
            return lambda rows: [_first(texts, truncation) for texts in rows]
        case _:
            raise TypeError(f"not about one row: {condition}")


def _text_check(condition: TextCondition, engine: str | None) -> Check:
    phrases = [compiled(pattern, engine) for pattern in phrase_patterns(condition)]
    regexes = [(regex, compiled(regex_pattern(regex, condition), engine)) for regex in condition.regexes]
    any_regex = _any_regex(condition, engine)
    names = {normal(phrase): phrase for phrase in reversed(condition.phrases)}

    def check(rows: Sequence[tuple[str, ...]]) -> list[str | None]:
        """Texts of all rows go through the engine together; the first reason of a row is the one given."""
        batch = Batch([text[: condition.within_first] for text in chain.from_iterable(rows)])
        why: list[str | None] = [None] * len(batch.texts)
        for finder in phrases:
            for number, found in enumerate(finder.found(batch, as_one=not condition.whole_words)):
                if found is not None and why[number] is None:
                    why[number] = _named(found, names)
        if any_regex is not None:
            hits = [number for number, hit in enumerate(any_regex(batch)) if hit and why[number] is None]
            few = Batch([batch.texts[number] for number in hits])
            for regex, finder in reversed(regexes if hits else []):
                for number, hit in zip(hits, finder.hits(few), strict=True):
                    why[number] = regex if hit else why[number]
        return why if len(why) == len(rows) else _by_row(rows, why)

    return check


def _any_regex(condition: TextCondition, engine: str | None) -> Callable[[Batch], list[bool]] | None:
    """Most texts have none of the expressions: that is found out by one search for all of them, where RE2 takes it."""
    if not condition.regexes:
        return None
    try:
        return compiled(any_regex_pattern(condition), engine).hits
    except PatternError:
        # Too much for one program, though each of them is not.
        return lambda batch: [True] * len(batch.texts)


def _by_row(rows: Sequence[tuple[str, ...]], why: Sequence[str | None]) -> list[str | None]:
    reasons = iter(why)
    return [next((reason for reason in [next(reasons) for _ in row] if reason is not None), None) for row in rows]


def _named(found: str, names: dict[str, str]) -> str:
    plain = normal(found)
    # With whole words the letter beside the phrase was found with it.
    return next((names[form] for form in (plain, plain[1:], plain[:-1], plain[1:-1]) if form.strip() in names), plain)


def _wrong_length(texts: tuple[str, ...], condition: LengthCondition) -> str | None:
    length = sum(len(text.split()) if condition.unit == "words" else len(text) for text in texts)
    if condition.under is not None and length < condition.under:
        return f"under {condition.under:,}"
    if condition.over is not None and length > condition.over:
        return f"over {condition.over:,}"
    return None


def _language(texts: tuple[str, ...], condition: LanguageCondition) -> str | None:
    found = language_of("\n".join(texts))
    return found if found in condition.languages else None


def _first(texts: tuple[str, ...], why: Callable[[str], str | None]) -> str | None:
    return next((reason for reason in map(why, texts) if reason is not None), None)


def _emptiness(text: str) -> str | None:
    return None if _LETTER.search(text) else "no letter and no digit"


def truncation(text: str) -> str | None:
    """Say how a text ends in the middle, or None: an open block of code, or a long text whose last line has no end."""
    text = text.rstrip()
    if "```" in text and len(_FENCE.findall(text)) % 2:
        return "a block of code is not closed"
    end = text[-1:]
    if not end.isalpha() and end not in _OPEN_ENDS:
        return None
    last = text.rpartition("\n")[2].split()
    if len(last) >= _SENTENCE_WORDS and "://" not in last[-1] and len(text.split()) >= _LONG_WORDS:
        return "the last sentence has no end"
    return None
