"""Rule files: what is wrong with one is said at once and with its line; the shipped sets do what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs.curation.load import load_rules, shipped_sets
from runs.errors import SpecError
from runs.spec.load import load_run_file
from runs.spec.recipes import write_recipe
from templates.curation.judge import Judge
from templates.curation.rules import DuplicateCondition, LengthCondition, TextCondition

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

WRONG = """\
name: x
rulez: []
rules:
  - drop: a
    phrases: ["x", ""]
    similarity: 0.9
  - keep: b
    drop: c
    regexes: ["(?=a)", "(a", "a)(b", 5]
  - drop: a
    wheer: all
    characters: {unter: 3}
  - drop: d
    language: [xx]
    words: 3
  - drop: unusable
    duplicates: fuzzy
  - drop: e
  - keep: f
    duplicates: exact
    similarity: 0.5
  - drop: g
    phrases: []
  - drop: h
    characters: {}
"""


def test_a_wrong_rule_file_is_refused_with_all_that_is_wrong(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """Values, keys, conditions, names and regular expressions at once, each with line and column."""
    (tmp_path / "wrong.yaml").write_text(WRONG)
    with pytest.raises(SpecError) as refused:
        load_rules(["wrong.yaml"], tmp_path)
    problems = refused.value.problems
    assert snapshot == [f"{one.line}:{one.column}: {one.path}: {one.message} [{one.suggestion}]" for one in problems]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty; a rule file has rules"),
        ("name: x\n", "expected rules or include, found: neither"),
        ("rules: [a]\n", "expected keys with values below it"),
        ("[1, 2\n", "not YAML"),
        ("- 1\n", "expected keys with values below it"),
        ("rules: 5\n", "expected a list"),
    ],
)
def test_what_is_no_rule_file_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """Whatever stands in it, it is an answer and no traceback."""
    (tmp_path / "wrong.yaml").write_text(content)
    with pytest.raises(SpecError) as refused:
        load_rules(["wrong.yaml"], tmp_path)
    assert any(words in problem.message for problem in refused.value.problems)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    """The nearest shipped set is named; a file that includes itself is told so."""
    with pytest.raises(SpecError) as refused:
        load_rules(["unfilterd"], tmp_path)
    assert refused.value.hint == "did you mean unfiltered?"
    with pytest.raises(SpecError, match="cannot read the rule file"):
        load_rules(["gone.yaml"], tmp_path)
    (tmp_path / "a.yaml").write_text("include: [./b.yaml]\n")
    (tmp_path / "b.yaml").write_text("include: [./a.yaml]\n")
    with pytest.raises(SpecError, match="includes itself"):
        load_rules(["a.yaml"], tmp_path)


def test_a_rule_file_says_what_it_says(tmp_path: Path) -> None:
    """Included rules come first; defaults are as documented; a set after another keeps its rules apart by name."""
    (tmp_path / "mine.yaml").write_text(
        "include: [quality]\nrules:\n  - drop: mine\n    phrases: [No, 'yes']\n  - keep: long\n    words: {over: 3}\n"
        "  - drop: alike\n    duplicates: near\n"
    )
    (tmp_path / "other.yaml").write_text("rules:\n  - drop: mine\n    where: prompt\n    empty: true\n")
    rules = load_rules(["mine.yaml", "other.yaml"], tmp_path)
    assert rules.name == "mine + other"
    mine, long, alike, other = rules.rules[-4:]
    assert mine.condition == TextCondition(phrases=("No", "yes"))
    assert (mine.where, mine.drops) == ("answer", True)
    assert (long.condition, long.drops) == (LengthCondition("words", over=3), False)
    assert (alike.condition, alike.where) == (DuplicateCondition(0.8), "all")
    assert other.name == "other: mine"
    assert load_rules(["quality", "quality"], tmp_path).rules == load_rules(["quality"], tmp_path).rules


REFUSALS = [
    "As an AI language model, I don't have personal opinions.",
    "I\u2019m sorry, but I can\u2019t help with that.",
    "I am sorry, but I cannot answer.",
    "Unfortunately, as a language model I have no access to that.",
    "Sure! However, it is never okay to lie, and I must remind you to be kind.",
    "I cannot fulfill this request.",
    "Paris. Is there anything else I can help you with?",
    "Lo siento, pero como modelo de lenguaje no puedo opinar.",
    "My knowledge cutoff is September 2021.",
    "It would be unethical to write this. Please refrain from such requests.",
]
ANSWERS = [
    "I'm sorry to hear about your broken cup. We will send you a new one today.",
    "The ethics of Aristotle concern virtue; discrimination in statistics is another matter.",
    "A language model assigns probabilities to sequences of words.",
    "She cannot provide for her family, so she looks for work.",
    "Diversity of plants keeps a garden healthy. It is illegal to pick some of them.",
    "Sorry for your loss. He was a good man.",
    "The robot said: I have no feelings, and went on with its work.",
    "4",
]


def test_the_unfiltered_set_tells_refusals_from_answers(tmp_path: Path) -> None:
    """What a model says of itself and to its user goes; answers with the same words in them stay."""
    judge = Judge(load_rules(["unfiltered"], tmp_path))
    gone = judge.verdicts([{"instruction": "a", "output": answer} for answer in REFUSALS])
    assert [answer for answer, verdict in zip(REFUSALS, gone, strict=True) if not verdict.rule] == []
    stay = judge.verdicts([{"instruction": "a", "output": answer} for answer in ANSWERS])
    assert [(verdict.rule, verdict.why) for verdict in stay if verdict.rule] == []


def test_the_quality_set_drops_what_teaches_nothing(tmp_path: Path) -> None:
    """Placeholders, mojibake, cut-off code, letters without end; not short answers."""
    judge = Judge(load_rules(["quality"], tmp_path))
    bad = ["N/A", "...", "<noinput>", "It\u00e2\u20ac\u2122s broken", "```\ncode", "a" * 50, "ha" * 40, "x" * 30_001]
    verdicts = judge.verdicts([{"instruction": "a", "output": answer} for answer in [*bad, *ANSWERS]])
    assert [bool(verdict.rule) for verdict in verdicts] == [True] * len(bad) + [False] * len(ANSWERS)


@pytest.mark.parametrize("name", shipped_sets())
def test_the_shipped_data_passes_the_shipped_sets(name: str, tmp_path: Path) -> None:
    """The project's own instructions are what the sets leave of them; a run file may name them."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    run_file.write_text(run_file.read_text().replace("\ndata:\n", f"\ndata:\n  curate: {name}\n"))
    rules = load_run_file(run_file).curation_rules()
    assert rules is not None
    from runs.plan import make_plan

    data = make_plan(load_run_file(run_file)).data
    assert data is not None
    assert data.rows == 285


def test_a_run_file_with_wrong_rules_is_refused(tmp_path: Path) -> None:
    """Before anything is created, by the lines of the rule file."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    run_file.write_text(run_file.read_text().replace("\ndata:\n", "\ndata:\n  curate: [quality, wrong.yaml]\n"))
    (tmp_path / "wrong.yaml").write_text(WRONG)
    with pytest.raises(SpecError, match="problems in the rule file") as refused:
        load_run_file(run_file)
    assert refused.value.file == str(tmp_path / "wrong.yaml")
