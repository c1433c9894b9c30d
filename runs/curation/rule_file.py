"""A rule file: what to drop from a data set, and what to keep. What holds between keys is in rule_checks.py."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from runs.spec.section import Section, broken_rule, refuse
from templates.curation.languages import LANGUAGES
from templates.curation.rules import (
    Condition,
    DuplicateCondition,
    EmptyCondition,
    LanguageCondition,
    LengthCondition,
    Rule,
    TextCondition,
    TruncatedCondition,
    Where,
)

_NEAR = 0.8


def _checked_phrase(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError(f"expected a phrase with a letter in it, found: {text!r}")
    return text


def _checked_language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"expected one of {', '.join(LANGUAGES)}, found: {text}")
    return text


Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]*$")]
Phrase = Annotated[str, Field(max_length=1000), AfterValidator(_checked_phrase)]
Regex = Annotated[str, Field(min_length=1, max_length=10_000)]
Language = Annotated[str, AfterValidator(_checked_language)]


class Length(Section):
    """Bounds of a length; at least one of the two."""

    under: int | None = Field(default=None, ge=1, description="Fewer than this.")
    over: int | None = Field(default=None, ge=0, description="More than this.")

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if self.under is None and self.over is None:
            refuse("length", [broken_rule((), "expected under, over or both, found: neither", None)])
        return self


class RuleItem(Section):
    """One rule: a name after `drop` or `keep`, where to look, and one condition."""

    drop: Name | None = Field(default=None, description="Drop rows that meet the condition; the rule's name.")
    keep: Name | None = Field(default=None, description="Drop rows that do not meet it; the rule's name.")
    where: Literal["answer", "prompt", "all"] | None = Field(
        default=None, description="Texts to look at: answer, prompt or all. Default: answer; for duplicates, all."
    )
    phrases: tuple[Phrase, ...] = Field(default=(), max_length=5000, description="Texts, one of which is found.")
    regexes: tuple[Regex, ...] = Field(
        default=(), max_length=1000, description="Regular expressions (RE2), one of which is found."
    )
    match_case: bool = Field(default=False, description="Upper and lower case differ.")
    whole_words: bool = Field(default=False, description="Phrases begin and end at a word's edge.")
    within_first: int | None = Field(
        default=None, ge=1, description="Look at so many characters from the beginning of each text."
    )
    characters: Length | None = Field(default=None, description="Characters of the texts together: under, over.")
    words: Length | None = Field(default=None, description="Words of the texts together: under, over.")
    language: tuple[Language, ...] = Field(default=(), description="Languages (ISO 639-1) that the texts are in.")
    empty: Literal[True] | None = Field(default=None, description="true: a text has neither letter nor digit.")
    truncated: Literal[True] | None = Field(default=None, description="true: a text ends in the middle.")
    duplicates: Literal["exact", "near"] | None = Field(
        default=None, description="An earlier row has the same texts (exact), or nearly (near)."
    )
    similarity: float | None = Field(
        default=None, ge=0.3, le=1, description="How alike near duplicates are: shared word triples. Default: 0.8."
    )

    @property
    def name(self) -> str:
        """What the rule is called."""
        return self.drop or self.keep or ""

    def rule(self) -> Rule:
        """Give the rule as a value."""
        where: Where = self.where or ("answer" if self.duplicates is None else "all")
        return Rule(self.name, self.drop is not None, where, self._condition())

    def _condition(self) -> Condition:
        if length := self.characters or self.words:
            return LengthCondition("characters" if self.characters else "words", length.under, length.over)
        if self.duplicates is not None:
            return DuplicateCondition(None if self.duplicates == "exact" else self.similarity or _NEAR)
        if self.language:
            return LanguageCondition(self.language)
        if self.empty or self.truncated:
            return EmptyCondition() if self.empty else TruncatedCondition()
        return TextCondition(self.phrases, self.regexes, self.match_case, self.whole_words, self.within_first)


class RuleFile(Section):
    """A rule file."""

    name: Name | None = Field(default=None, description="What the rules are called; by default, the file's name.")
    description: str | None = Field(default=None, max_length=4000, description="What they are for, for people.")
    include: tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...] = Field(
        default=(), max_length=20, description="Shipped sets, or other rule files, whose rules come before these."
    )
    rules: tuple[RuleItem, ...] = Field(default=(), max_length=500, description="The rules, in order.")
