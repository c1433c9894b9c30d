"""The instruction data that the project ships: enough rows, well formed, varied."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from itertools import combinations

import pytest

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The shipped rows as a user's JSON parser sees them."""
    text = files("templates").joinpath("data", "instructions.json").read_text(encoding="utf-8")
    loaded: list[Row] = json.loads(text)
    return loaded


def word_count(text: str) -> int:
    """Words as a reader counts them."""
    return len(text.split())


def word_set(row: Row) -> frozenset[str]:
    """What a row asks, without order, case or punctuation."""
    text = f"{row['instruction']} {row['input']}".lower()
    return frozenset(text.translate(str.maketrans("", "", ".,:;!?\"'()")).split())


def test_there_are_enough_rows(rows: list[Row]) -> None:
    """At least 220 rows, so that a rehearsal can train 30 steps without repeating itself."""
    assert len(rows) >= 220


def test_every_row_is_alpaca(rows: list[Row]) -> None:
    """Each row has exactly the three Alpaca keys, all strings, and only `input` may be empty."""
    for row in rows:
        assert set(row) == {"instruction", "input", "output"}
        assert all(isinstance(value, str) for value in row.values())
        assert row["instruction"].strip()
        assert row["output"].strip()


def test_values_carry_no_stray_white_space(rows: list[Row]) -> None:
    """No value begins or ends with white space, which a model would learn to copy."""
    assert [row for row in rows if any(value != value.strip() for value in row.values())] == []


def test_text_is_plain(rows: list[Row]) -> None:
    """Nothing but ASCII and the accented letters that French and Spanish need."""
    letters = {letter for row in rows for value in row.values() for letter in value if not letter.isascii()}
    assert letters <= set("áçéíñóúù")


def test_no_row_occurs_twice(rows: list[Row]) -> None:
    """Instruction and input together are unique, and so is every answer of more than three words."""
    questions = Counter((row["instruction"].lower(), row["input"].lower()) for row in rows)
    long_answers = Counter(row["output"].lower() for row in rows if word_count(row["output"]) > 3)
    assert [question for question, times in questions.items() if times > 1] == []
    assert [answer for answer, times in long_answers.items() if times > 1] == []


def test_no_two_questions_are_nearly_alike(rows: list[Row]) -> None:
    """No two rows of five or more words share more than 60 % of the words of their instruction and input."""
    questions = [words for words in map(word_set, rows) if len(words) >= 5]
    alike = [(a, b) for a, b in combinations(questions, 2) if len(a & b) > 0.6 * len(a | b)]
    assert alike == []


def test_no_opening_dominates(rows: list[Row]) -> None:
    """At most one row in eight begins with the same word, and one in twenty with the same three."""
    first_words = Counter(row["instruction"].lower().split()[0] for row in rows)
    first_three = Counter(tuple(row["instruction"].lower().split()[:3]) for row in rows)
    assert max(first_words.values()) <= len(rows) / 8
    assert max(first_three.values()) <= len(rows) / 20


def test_about_a_quarter_has_an_input(rows: list[Row]) -> None:
    """Both Alpaca prompts, with and without input, are exercised."""
    share = sum(bool(row["input"]) for row in rows) / len(rows)
    assert 0.2 <= share <= 0.35


def test_lengths_are_spread(rows: list[Row]) -> None:
    """One-word answers and answers of 80 words and more both occur, and the median lies well between."""
    lengths = sorted(word_count(row["output"]) for row in rows)
    median = lengths[len(lengths) // 2]
    assert lengths[0] == 1
    assert sum(length == 1 for length in lengths) >= 15
    assert sum(length >= 60 for length in lengths) >= 25
    assert lengths[-1] >= 80
    assert 10 <= median <= 50


def test_no_answer_is_about_the_assistant(rows: list[Row]) -> None:
    """No refusals and no remarks of an assistant about itself."""
    phrases = ("as an ai", "language model", "i cannot help", "i'm sorry, but i", "as an assistant")
    assert [row for row in rows if any(phrase in row["output"].lower() for phrase in phrases)] == []
