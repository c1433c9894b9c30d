"""Phrases as RE2 patterns, and back: which phrase was it that was found?

Between people's phrases and data sets' texts stand typographic quotes and line breaks; the pattern takes both forms.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from templates.curation.rules import TextCondition

# RE2 refuses programs beyond 8 MiB; one of so many characters takes a tenth of that.
_MOST_CHARACTERS = 12_000
_SPACE = r"[\s\x{00A0}]+"
# Left and right quotes and their like, by code: on paper they are hard to tell apart.
_ALIKE = {"'": "'\u2018\u2019\u02bc", '"': '"\u201c\u201d\u201e', "-": "-\u2010\u2011\u2013"}
_PLAIN = {ord(form): plain for plain, forms in _ALIKE.items() for form in forms}
# Letters, digits and the underscore in any script: RE2's own \b knows ASCII alone.
_WORD = r"\pL\pN_"


def phrase_patterns(condition: TextCondition) -> Iterator[str]:
    """Give patterns, none of which has a group that captures, that find the phrases; the first listed one wins."""
    for phrases in _in_groups(condition.phrases):
        pattern = f"(?:{'|'.join(_pattern(phrase) for phrase in phrases)})"
        if condition.whole_words:
            pattern = f"(?:^|[^{_WORD}]){pattern}(?:$|[^{_WORD}])"
        yield pattern if condition.match_case else f"(?i){pattern}"


def regex_pattern(regex: str, condition: TextCondition) -> str:
    """Give the pattern of one of the regular expressions."""
    return regex if condition.match_case else f"(?i){regex}"


def any_regex_pattern(condition: TextCondition) -> str:
    """Give the pattern that finds whatever one of the regular expressions finds; each is one of its own, so whole."""
    alternatives = "|".join(f"(?:{regex})" for regex in condition.regexes)
    return alternatives if condition.match_case else f"(?i){alternatives}"


def normal(text: str) -> str:
    """The form in which what was found is looked up among the phrases."""
    return " ".join(text.translate(_PLAIN).casefold().split())


def _in_groups(phrases: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    for phrase in phrases:
        if group and sum(map(len, group)) + len(phrase) > _MOST_CHARACTERS:
            yield group
            group = []
        group.append(phrase)
    if group:
        yield group


def _pattern(phrase: str) -> str:
    return _SPACE.join("".join(_letter(letter) for letter in word) for word in phrase.split())


def _letter(letter: str) -> str:
    plain = letter.translate(_PLAIN)
    return f"[{re.escape(_ALIKE[plain])}]" if plain in _ALIKE else re.escape(letter)
