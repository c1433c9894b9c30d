"""Tokens and labels of every format, by a real tokenizer, beside what its own chat template makes of the same turns."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

_ASK = """
import json, sys
from pathlib import Path
from templates.training import prompts
from templates.training.conversations import Turn, asked
from templates.training.errors import DataError
from templates.training.model import load_tokenizer

kind = "{{bos_token}}{% for m in messages %}<{{m.role}}>{{m.content}}{{eos_token}}\\n{% endfor %}"
kind += "{% if add_generation_prompt %}<assistant>{% endif %}"
bare = kind.replace("{{bos_token}}", "").replace("{{eos_token}}", "")
# Leaves a mark at the last answer alone, as templates of reasoning models do.
fickle = "{% for m in messages %}<{{m.role}}>{% if loop.last %}{% if m.role == 'assistant' %}*{% endif %}{% endif %}"
fickle += "{{m.content}}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
two = (*asked("Hi."), Turn("assistant", "Hello."), Turn("user", "Add.", "1, 2"), Turn("assistant", "It is 3."))
three = (Turn("system", "Be kind."), *two)
said = {}
named = {"own": kind, "bare": bare, "fickle": fickle}
for called in ("alpaca", "vicuna", "chatml", *named):
    name, own = ("tokenizer", named[called]) if called in named else (called, None)
    tokenizer = load_tokenizer(sys.argv[1], 2048, None)
    tokenizer.chat_template = own
    prompts.equip(name, tokenizer)
    rows = []
    for turns in (two, three, two[2:]):
        (ids,), (labels,) = prompts.encode(name, [turns], tokenizer)
        texts = [turn.text if name == "alpaca" else prompts.user_text(turn) for turn in turns]
        messages = [
            {"role": turn.role, "content": text, "input": turn.context} for turn, text in zip(turns, texts)
        ]
        options = {"add_generation_prompt": True, "return_dict": False}
        asks = prompts.prompt_ids(name, turns[:-1], tokenizer)
        rows.append({
            "as_template": tokenizer.apply_chat_template(messages, return_dict=False) == ids,
            "asked_as_template": tokenizer.apply_chat_template(messages[:-1], **options) == asks,
            "asked_as_learnt": ids[:len(asks)] == asks and labels[len(asks) - 1] == -100 != labels[len(asks)],
            "labels_are_ids": all(label in (-100, token) for token, label in zip(ids, labels)),
            "learnt": tokenizer.decode([label for label in labels if label != -100]),
        })
    said[called] = {
        "rows": rows, "end": prompts.end_of_answer(name, tokenizer), "words": len(tokenizer),
        "stops": tokenizer.decode([prompts.end_id(name, tokenizer)]),
    }
tokenizer.chat_template = None
try:
    prompts.equip("tokenizer", tokenizer)
except DataError as error:
    said["refusal"] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(machine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each format made of the same conversations."""
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tiny_llama(folder)
    done = subprocess.run(
        [str(machine_python), "-c", _ASK, str(folder)], stdout=subprocess.PIPE, check=True, timeout=240
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", ["alpaca", "vicuna", "chatml", "own"])
def test_tokens_are_those_of_the_chat_template(said: dict[str, Any], name: str) -> None:
    """With and without a system turn, one turn and several; asked and learnt begin with the same tokens."""
    for row in said[name]["rows"]:
        assert all(row[what] for what in ("as_template", "asked_as_template", "asked_as_learnt", "labels_are_ids"))


@pytest.mark.parametrize(
    ("name", "learnt", "end"),
    [
        ("alpaca", "Hello.</s>It is 3.</s>", "</s>"),
        ("vicuna", " Hello.</s> It is 3.</s>", "</s>"),
        ("chatml", "Hello.<|im_end|>It is 3.<|im_end|>", "<|im_end|>"),
        ("own", "Hello.</s>It is 3.</s>", "</s>"),
        # A template that marks no end gets the end-of-sequence token once.
        ("bare", "Hello.It is 3.", "</s>"),
        # What changes with the next turn cannot be learnt in one text: the last answer is.
        ("fickle", "*It is 3.</s>", "</s>"),
    ],
)
def test_answers_alone_are_learnt(said: dict[str, Any], name: str, learnt: str, end: str) -> None:
    """Every answer with its end, and nothing that a user or the system said."""
    assert said[name]["rows"][0]["learnt"] == learnt
    assert said[name]["end"] == said[name]["stops"] == end


def test_chatml_brings_its_two_tokens(said: dict[str, Any]) -> None:
    """1,000 words, [PAD], and two; the other formats add nothing but [PAD]."""
    assert said["chatml"]["words"] == 1003
    assert said["alpaca"]["words"] == said["vicuna"]["words"] == said["own"]["words"] == 1001


def test_a_tokenizer_without_a_template_is_refused(said: dict[str, Any]) -> None:
    """With what to choose instead."""
    assert said["refusal"].startswith("the tokenizer has no chat template: choose alpaca")
