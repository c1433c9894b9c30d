"""What the report is made of: counts, reasons, samples and lengths, of a piece or of everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from templates.curation.rows import Texts

# Of each rule, the first rows that it drops are shown, each text up to so many characters.
SAMPLES = 5
SAMPLE_CHARACTERS = 600
# Lengths of answers by powers of two: bin 10 holds 512 to 1,023 characters, the last everything longer.
LENGTH_BINS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One dropped row.

    Attributes:
        row: Its number in the input, from 1.
        why: Because of what it was dropped.
        prompt: Its first prompt, shortened.
        answer: Its first answer, shortened.
    """

    row: int
    why: str
    prompt: str
    answer: str


@dataclass(slots=True)
class Tally:
    """Counts over rows that follow each other.

    Attributes:
        rows: Rows read.
        dropped: Rows dropped, by rule.
        reasons: Rows dropped, by rule and by what it found in them.
        samples: The first rows dropped, by rule.
        lengths_before: Usable rows by the length of their answers.
    """

    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    reasons: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    samples: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    lengths_before: list[int] = field(default_factory=lambda: [0] * LENGTH_BINS)

    def drop(self, rule: str, why: str, row: int, texts: Texts | None) -> None:
        """Count a dropped row; `row` is its number among the rows that are counted here."""
        self.dropped[rule] += 1
        self.reasons[rule][why] += 1
        if len(self.samples[rule]) < SAMPLES:
            self.samples[rule].append(sample_of(row, why, texts))

    def add(self, following: Tally) -> None:
        """Take in the counts of the rows that follow."""
        for name, samples in following.samples.items():
            room = SAMPLES - len(self.samples[name])
            self.samples[name] += [
                Sample(self.rows + sample.row, sample.why, sample.prompt, sample.answer) for sample in samples[:room]
            ]
        for name, reasons in following.reasons.items():
            self.reasons[name].update(reasons)
        self.dropped.update(following.dropped)
        self.rows += following.rows
        self.lengths_before = [a + b for a, b in zip(self.lengths_before, following.lengths_before, strict=True)]


def sample_of(row: int, why: str, texts: Texts | None) -> Sample:
    """Make a sample of a row."""
    if texts is None:
        return Sample(row, why, "", "")
    return Sample(row, why, _shortened(texts.prompts), _shortened(texts.answers))


def length_bin(texts: Texts) -> int:
    """Which bin a row's answers belong to."""
    return min(sum(map(len, texts.answers)).bit_length(), LENGTH_BINS - 1)


def sorted_reasons(reasons: Mapping[str, int], most: int) -> Sequence[tuple[str, int]]:
    """The commonest reasons first; equally common ones by their words."""
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:most]


def _shortened(texts: Sequence[str]) -> str:
    text = texts[0]
    return text if len(text) <= SAMPLE_CHARACTERS else f"{text[:SAMPLE_CHARACTERS]}…"
