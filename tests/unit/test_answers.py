"""Questions in the recipe's format, and the file of answers: none lost, none twice, wherever a call is killed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from templates.after.questions import Answers, Question, read_questions
from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

QUESTIONS = [Question(2, "two"), Question(1, "one", "with input"), Question(0, "zero")]
HOW = {"max_new_tokens": 8}


def rows(path: Path) -> list[dict[str, object]]:
    """The rows of a file of answers."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_questions_are_read_as_the_recipe_writes_them(tmp_path: Path) -> None:
    """`idx` and `Instruction`; further keys are let be, and an `Input` is taken."""
    file = tmp_path / "q.jsonl"
    file.write_text(
        '{"idx": 7, "Instruction": "Say {this}", "Source": "x"}\n\n'
        '{"idx": "b", "Instruction": "Sum up.", "Input": "A text.\\u2028On two lines."}\n'
    )
    assert read_questions(file) == [
        Question(7, "Say {this}"), Question("b", "Sum up.", "A text.\u2028On two lines."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no questions in the file"),
        ("[1]\n", "must be an object with idx and Instruction: .*, line 1"),
        ('{"idx": 1, "Instruction": "a"}\nnope\n', "not JSON: .*, line 2"),
        ('{"idx": 1, "Instruction": " "}\n', "Instruction must be a text"),
        ('{"idx": true, "Instruction": "a"}\n', "must be an object with idx"),
        ('{"idx": 1, "Instruction": "a"}\n{"idx": 1, "Instruction": "b"}\n', "the same idx .*: 1"),
    ],
)
def test_questions_that_cannot_be_asked_are_named_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    """Before a model is loaded."""
    file = tmp_path / "q.jsonl"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        read_questions(file)


def test_answers_appear_whole_and_in_the_order_of_idx(tmp_path: Path) -> None:
    """Until then they are in a part beside it."""
    output = tmp_path / "new" / "a.jsonl"
    answers = Answers(output, QUESTIONS, HOW)
    answers.add([(QUESTIONS[0], "Zwei"), (QUESTIONS[2], "Null")])
    assert not output.exists()
    answers.add([(QUESTIONS[1], "Eins")])
    answers.finish()
    assert rows(output) == [
        {"idx": 0, "Instruction": "zero", "Response": "Null"},
        {"idx": 1, "Instruction": "one", "Input": "with input", "Response": "Eins"},
        {"idx": 2, "Instruction": "two", "Response": "Zwei"},
    ]
    assert [entry.name for entry in output.parent.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("torn", [0, 1, 30], ids=["at a line's end", "after its first byte", "in its middle"])
def test_a_killed_call_is_gone_on_with(tmp_path: Path, torn: int) -> None:
    """A torn line is cut off and answered again; what is whole stays, and is not there twice."""
    output = tmp_path / "a.jsonl"
    Answers(output, QUESTIONS, HOW).add([(QUESTIONS[0], "Zwei ü")])
    part = tmp_path / "a.jsonl.part"
    with part.open("a", encoding="utf-8") as file:
        file.write('{"idx": 1, "Instruction": "one", "Response": "Ei'[:torn])
    again = Answers(output, QUESTIONS, HOW)
    assert again.done == {2: "Zwei ü"}
    again.add([(question, "new") for question in QUESTIONS])
    again.finish()
    assert [(row["idx"], row["Response"]) for row in rows(output)] == [(0, "new"), (1, "new"), (2, "Zwei ü")]


def test_answers_of_another_model_or_other_questions_are_not_gone_on_with(tmp_path: Path) -> None:
    """What decides the answers is in the part's first line."""
    output = tmp_path / "a.jsonl"
    Answers(output, QUESTIONS, HOW).add([(QUESTIONS[0], "Zwei")])
    assert Answers(output, QUESTIONS, {**HOW, "max_new_tokens": 9}).done == {}
    Answers(output, QUESTIONS, HOW).add([(QUESTIONS[0], "Zwei")])
    assert Answers(output, QUESTIONS[:2], HOW).done == {}


def test_two_calls_never_write_one_file(tmp_path: Path) -> None:
    """The second one says so and leaves."""
    first = Answers(tmp_path / "a.jsonl", QUESTIONS, HOW)
    with pytest.raises(DataError, match="another process writes"):
        Answers(tmp_path / "a.jsonl", QUESTIONS, HOW)
    first.add([])


def test_a_finished_file_is_known_again_by_its_record(tmp_path: Path) -> None:
    """A job's step that is started again after its end asks nobody; a changed file is no such file."""
    output, record = tmp_path / "a.jsonl", tmp_path / "markers" / "a.json"
    answers = Answers(output, QUESTIONS, HOW, record)
    answers.add([(question, "yes") for question in QUESTIONS])
    answers.finish()
    again = Answers(output, QUESTIONS, HOW, record)
    assert again.is_finished
    again.finish()
    assert len(rows(output)) == 3
    output.write_text("changed")
    assert not Answers(output, QUESTIONS, HOW, record).is_finished
