"""Conditions on one row, against a reference that does nothing clever, and by both forms of RE2."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from templates.curation.conditions import check_of, truncation
from templates.curation.engine import Batch, compiled
from templates.curation.errors import PatternError
from templates.curation.languages import LANGUAGES, language_of
from templates.curation.rules import Condition, EmptyCondition, LengthCondition, TextCondition
from tests.fakes.curation_reference import plain

ENGINES = ("re2", "arrow")
# Letters that fold in odd ways, white space of all kinds, quotes, a NUL, letters outside the first plane.
LETTERS = "aAbBsS\u017fkK\u212aßẞéÉ\u0131İ\u03c3ςΣ'\u2019\u2018\"\u201d-\u2013 \t\n\u00a0\u2028日本\U0001f600\0.()[]\\*"
text = st.text(LETTERS, max_size=30)
phrase = text.filter(lambda one: one.strip() and "\0" not in one and "\u2028" not in one)


def meets(condition: Condition, *texts: str, engine: str | None = None) -> list[bool]:
    """Whether rows of one text each meet a condition."""
    return [reason is not None for reason in check_of(condition, engine)([(one,) for one in texts])]


@given(st.lists(phrase, min_size=1, max_size=4), st.lists(text, min_size=1, max_size=6))
@example(["i'm sorry"], ["I\u2019M  SORRY", "im sorry"])
@example(["a b"], ["a\u00a0\n b", "ab"])
def test_phrases_are_found_as_anybody_would_find_them(phrases: list[str], texts: list[str]) -> None:
    """Whatever the case, the quotes and the white space; both engines say the same."""
    expected = [any(" ".join(plain(one).split(" ")).strip(" ") in plain(text) for one in phrases) for text in texts]
    stripped = tuple(" ".join(one.split(" ")).strip() for one in phrases)
    for engine in ENGINES:
        assert meets(TextCondition(phrases=stripped), *texts, engine=engine) == expected


@given(st.lists(text, min_size=1, max_size=8))
def test_texts_searched_as_one_are_as_texts_searched_alone(texts: list[str]) -> None:
    """What is found in a text never comes from its neighbours."""
    finder = compiled("(?i)(?:s|a b|日)", "re2")
    batch = Batch(texts)
    assert finder.found(batch, as_one=True) == finder.found(batch)
    assert finder.found(batch) == compiled("(?i)(?:s|a b|日)", "arrow").found(batch)


def test_the_phrase_that_was_found_is_named() -> None:
    """In the words of the rule file, not in those of the text."""
    for condition in (
        TextCondition(phrases=("As an AI", "I'm sorry")),
        TextCondition(phrases=("As an AI", "I'm sorry"), whole_words=True),
    ):
        check = check_of(condition)
        assert check([("well, i\u2019m\nSORRY.",), ("nothing",), ("AS AN AI, no",)]) == ["I'm sorry", None, "As an AI"]


@pytest.mark.parametrize("engine", ENGINES)
def test_options_of_phrases(engine: str) -> None:
    """Case, whole words in any script, and only the beginning."""
    assert meets(TextCondition(phrases=("Ai",), match_case=True), "Ai", "AI", engine=engine) == [True, False]
    whole = TextCondition(phrases=("ai", "né"), whole_words=True)
    assert meets(whole, "an AI.", "rain", "né", "née", "ai", engine=engine) == [True, False, True, False, True]
    assert meets(TextCondition(phrases=("b",), within_first=3), "aab", "aaab", engine=engine) == [True, False]


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_regexes_take_no_longer_than_others(engine: str) -> None:
    """What makes a backtracking engine hang for years is linear here."""
    began = time.process_time()
    hostile = TextCondition(regexes=(r"(a+)+$", r"^(\w+\s?)*$", r"(x|x)*y", r"(.*)(.*)(.*)(.*)\bz\b"))
    assert meets(hostile, "a" * 200_000 + "!" + "x" * 1000, engine=engine) == [False]
    assert time.process_time() - began < 20


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("regex", ["(a", "(?=a)", r"(a)\1", "a{2000}", "*"])
def test_what_cannot_be_linear_is_refused(regex: str, engine: str) -> None:
    """Look-around and back references are an error with a reason, never a slow search."""
    with pytest.raises(PatternError):
        compiled(regex, engine)


def test_lengths() -> None:
    """Of all texts of a row together, both bounds themselves allowed."""
    check = check_of(LengthCondition("characters", under=3, over=5))
    assert check([("ab",), ("abc",), ("ab", "cde"), ("abc", "def")]) == ["under 3", None, None, "over 5"]
    assert check_of(LengthCondition("words", over=2))([("a  b\n",), ("a b c",)]) == [None, "over 2"]


def test_empty() -> None:
    """Neither a letter nor a digit, in any script."""
    assert meets(EmptyCondition(), "...", "_ *", "7", "é", "日", "\U0001f600") == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]


LONG = "This answer goes on and on about the matter at hand, sentence after sentence. " * 6


@pytest.mark.parametrize(
    ("answer", "is_cut"),
    [
        (LONG, False),
        (f"{LONG}And then the very last sentence of it ends in the", True),
        (f"{LONG}And then the very last sentence of it ends in (", True),
        (f"{LONG}And then the very last sentence of it ends well!", False),
        (f"{LONG}And then the very last line names https://a.example/where/it/is/written/down/in/full", False),
        (f"{LONG}\n\nKind regards, Ada", False),
        ("Four names for a bakery: Midnight Crumb, The Owl, Before Dawn, Moonrise", False),
        ("Here it is:\n```python\nprint(1)\n```", False),
        ("Here it is:\n```python\nprint(1)", True),
    ],
)
def test_truncated(answer: str, is_cut: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """Long answers that end in the middle, and open blocks of code; not lists, names, signatures or addresses."""
    assert (truncation(answer) is not None) == is_cut


SENTENCES = {
    "ar": "هذه جملة قصيرة باللغة العربية عن الطقس.",
    "cs": "Pes není v domě, ale kočka je na zahradě a chce jít domů, protože je zima.",
    "da": "Hunden er ikke i huset, men katten er i haven, og den vil gerne ind.",
    "de": "Der Hund ist nicht im Haus, aber die Katze ist im Garten und möchte hinein.",
    "el": "Αυτή είναι μια σύντομη πρόταση στα ελληνικά.",
    "en": "The dog is not in the house, but the cat is in the garden and wants to come in.",
    "es": "El perro no está en la casa, pero el gato está en el jardín y quiere entrar.",
    "fi": "Koira ei ole talossa, mutta kissa on puutarhassa ja se haluaa tulla sisään.",
    "fr": "Le chien n'est pas dans la maison, mais le chat est dans le jardin et il veut entrer.",
    "he": "זהו משפט קצר בעברית על מזג האוויר.",
    "hi": "यह मौसम के बारे में हिंदी में एक छोटा वाक्य है।",
    "hu": "A kutya nem a házban van, de a macska a kertben van és be akar jönni.",
    "id": "Anjing itu tidak ada di rumah, tetapi kucing ada di taman dan ingin masuk untuk makan.",
    "it": "Il cane non è in casa, ma il gatto è nel giardino e vuole entrare per la cena.",
    "ja": "これは天気についての短い日本語の文です。",
    "ko": "이것은 날씨에 대한 짧은 한국어 문장입니다.",
    "nl": "De hond is niet in het huis, maar de kat is in de tuin en wil naar binnen.",
    "no": "Hunden er ikke i huset, men katten er ute i hagen og vil inn, så jeg må åpne.",
    "pl": "Pies nie jest w domu, ale kot jest w ogrodzie i chce wejść do środka.",
    "pt": "O cão não está em casa, mas o gato está no jardim e quer entrar para comer.",
    "ro": "Câinele nu este în casă, dar pisica este în grădină și vrea să intre.",
    "ru": "Собака не в доме, но кошка в саду и хочет войти.",
    "sv": "Hunden är inte i huset, men katten är i trädgården och vill komma in.",
    "th": "นี่คือประโยคสั้น ๆ ในภาษาไทยเกี่ยวกับสภาพอากาศ",
    "tr": "Köpek evde değil ama kedi bahçede ve içeri girmek için bekliyor, çok soğuk.",
    "uk": "Собака не вдома, але кішка в саду хоче зайти всередину своєї теплої хати з їжею.",
    "vi": "Con chó không ở trong nhà, nhưng con mèo ở trong vườn và muốn vào nhà.",
    "zh": "这是一个关于天气的简短中文句子。",
}


def test_every_language_is_recognised() -> None:
    """A sentence of each language that a rule may name is told to be in it."""
    assert set(SENTENCES) == set(LANGUAGES)
    found = {language: language_of(sentence) for language, sentence in SENTENCES.items()}
    # Norwegian and Danish share most of their words; one may be taken for the other, never for a third.
    assert found.pop("no") in {"no", "da", None}
    assert found.pop("da") in {"da", "no", None}
    assert found == {language: language for language in found}


@pytest.mark.parametrize(
    "text",
    ["", "42", "x = y + 1", "def f(x): return x", "OK thanks", "!!!", "https://a.example", "8 (o, o, a, o, e, i, a)"],
)
def test_no_language_shows(text: str) -> None:
    """Numbers, code and a word or two have none: no rule drops them for it."""
    assert language_of(text) is None
