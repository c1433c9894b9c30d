"""A curation as a whole: exactly what the reference leaves, told in a report, with the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from templates.curation.curate import curate
from templates.curation.errors import BusyError, InputError
from templates.curation.likeness import band_values, bands_for, similarity, triples
from templates.curation.report import fingerprint_of
from templates.curation.rules import DuplicateCondition, LengthCondition, Rule, RuleSet, TextCondition
from templates.curation.workplace import workplace
from tests.fakes.curation_reference import jaccard, kept_rows, word_triples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from templates.curation.report import Report

RULES = RuleSet(
    "tested",
    (
        Rule("same", drops=True, where="all", condition=DuplicateCondition()),
        Rule("phrase", drops=True, where="answer", condition=TextCondition(phrases=("red cat",), within_first=20)),
        Rule("regex", drops=True, where="prompt", condition=TextCondition(regexes=("o+k$",))),
        Rule("short", drops=True, where="answer", condition=LengthCondition("words", under=2)),
        Rule("has a letter", drops=False, where="all", condition=TextCondition(phrases=("a", "e", "o"))),
    ),
)
WORDS = st.lists(st.sampled_from(["red", "cat", "Dog", "ok", "sits", "é", "x"]), min_size=1, max_size=6).map(" ".join)
ROWS = st.lists(st.fixed_dictionaries({"instruction": WORDS, "output": WORDS}), min_size=1, max_size=25)


def curated(folder: Path, rows: Sequence[object], rules: RuleSet, **more: Any) -> tuple[Report, list[Any]]:  # noqa: ANN401
    """Curate rows, and give the report and what is left."""
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    places = {"report_json": folder / "r.json", "report_html": folder / "r.html"}
    report = curate(source, folder / "out.jsonl", rules, **{**places, "workers": 1, **more})
    return report, [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(ROWS, st.integers(60, 800))
def test_what_is_left_is_what_the_reference_leaves(tmp_path: Path, rows: list[dict[str, Any]], piece: int) -> None:
    """Row by row and in order, however the input is cut."""
    expected = kept_rows(rows, RULES)
    if not expected:
        with pytest.raises(InputError, match="leave none"):
            curated(tmp_path, rows, RULES, piece_bytes=piece)
        return
    report, left = curated(tmp_path, rows, RULES, piece_bytes=piece)
    assert left == expected
    assert report.rows == len(rows)
    assert report.kept == len(left)
    assert sum(rule.dropped for rule in report.rules) == len(rows) - len(left)
    assert sum(report.lengths_after) == len(left)


def story(chance: random.Random, words: int) -> list[str]:
    """Words of a made-up text."""
    return [f"w{chance.randrange(2000)}" for _ in range(words)]


def planted(seed: int) -> list[dict[str, str]]:
    """Rows among which some are earlier ones with a few words changed."""
    chance = random.Random(seed)  # noqa: S311 (a made-up data set)
    texts = [story(chance, chance.randrange(1, 120)) for _ in range(150)]
    for _ in range(150):
        copy = list(chance.choice(texts))
        for _ in range(chance.randrange(4)):
            copy[chance.randrange(len(copy))] = f"w{chance.randrange(2000)}"
        texts.append(copy)
    chance.shuffle(texts)
    return [{"instruction": "Tell a story.", "output": " ".join(text)} for text in texts]


@pytest.mark.parametrize("least", [0.5, 0.8, 0.95])
def test_near_duplicates_are_those_of_the_reference(tmp_path: Path, least: float) -> None:
    """Nothing goes that is not alike, and of what is alike at most one row in a hundred stays."""
    rows = planted(3)
    for number, row in enumerate(rows):
        row["instruction"] = str(number)
    _, left = curated(
        tmp_path,
        rows,
        RuleSet("near", (Rule("near", drops=True, where="answer", condition=DuplicateCondition(least)),)),
    )
    sets = [word_triples(row["output"]) for row in rows]
    alike = {later for later, one in enumerate(sets) if any(jaccard(one, earlier) >= least for earlier in sets[:later])}
    gone = set(range(len(rows))) - {int(row["instruction"]) for row in left}
    assert len(gone) > 20
    assert gone <= alike
    assert len(gone) >= 0.99 * len(alike)


def test_rows_that_are_alike_meet(tmp_path: Path) -> None:
    """Of ten thousand pairs exactly at the least similarity, all but a few share a band, at every setting."""
    del tmp_path
    chance = random.Random(7)  # noqa: S311 (a made-up data set)
    for least in (0.3, 0.5, 0.7, 0.8, 0.9):
        bands, width = bands_for(least)
        assert bands * width <= 64
        missed = 0
        for _ in range(400):
            both = frozenset(chance.getrandbits(64) for _ in range(round(200 * least)))
            rest = 200 - len(both)
            one = both | {chance.getrandbits(64) for _ in range(rest // 2)}
            other = both | {chance.getrandbits(64) for _ in range(rest - rest // 2)}
            assert similarity(one, other) == pytest.approx(least, abs=0.01)
            pairs = zip(band_values(one, bands, width), band_values(other, bands, width), strict=True)
            missed += not any(a == b for a, b in pairs)
        assert missed <= 4, least


def test_texts_of_few_words_are_compared_too() -> None:
    """One or two words, or none, are as alike as they are the same; letters of scripts without blanks are words."""
    assert similarity(triples(["Yes."]), triples(["yes"])) == 1
    assert similarity(triples(["Yes."]), triples(["no"])) == 0
    assert similarity(triples(["..."]), triples(["!"])) == 1
    assert 0 < similarity(triples(["今天天气很好"]), triples(["今天天气不好"])) < 1


def test_the_report_tells_what_became_of_the_rows(tmp_path: Path) -> None:
    """How many by which rule, because of what, the first of each, as JSON and as a page; nothing stands for markup."""
    rows: list[object] = [{"instruction": f"<b>{n}</b>", "output": "the Red  cat sat"} for n in range(7)]
    rows += [{"instruction": "a", "output": "good answer"}] * 3 + [5]
    report, left = curated(tmp_path, rows, RULES)
    assert len(left) == 1
    told = json.loads((tmp_path / "r.json").read_text())
    by_name = {rule["name"]: rule for rule in told["rules"]}
    assert {name: rule["dropped"] for name, rule in by_name.items() if rule["dropped"]} == {
        "unusable": 1,
        "phrase": 7,
        "same": 2,
    }
    assert by_name["phrase"]["reasons"] == [["red cat", 7]]
    assert [sample["row"] for sample in by_name["phrase"]["samples"]] == [1, 2, 3, 4, 5]
    assert by_name["same"]["samples"][1] == {
        "row": 10,
        "why": "the same as row 8",
        "prompt": "a",
        "answer": "good answer",
    }
    assert by_name["unusable"]["samples"][0]["row"] == 11
    page = (tmp_path / "r.html").read_text()
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "<b>0</b>" not in page
    assert "<svg" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert told["fingerprint"] == report.fingerprint


def test_the_fingerprint_is_of_rules_input_and_output(tmp_path: Path) -> None:
    """Each can be checked by `sha256sum`; another rule is another fingerprint, another name for the rules is not."""
    rows = [{"instruction": "a", "output": "good answer"}]
    report, _ = curated(tmp_path, rows, RULES)
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("in.jsonl", "out.jsonl")]
    assert [report.input_sha256, report.output_sha256] == digests
    assert report.fingerprint == fingerprint_of(RULES.sha256, *digests)
    assert RuleSet("other", RULES.rules).sha256 == RULES.sha256
    assert RuleSet("tested", RULES.rules[1:]).sha256 != RULES.sha256
    assert RuleSet.from_json(RULES.to_json()) == RULES


def test_the_input_is_never_replaced(tmp_path: Path) -> None:
    """Not under another spelling of its name either."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"instruction": "a", "output": "good answer"}\n')
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)
    with pytest.raises(InputError, match="would replace the input"):
        curate(source, link, RULES, report_json=tmp_path / "r.json", report_html=tmp_path / "r.html")


def test_one_at_a_time_into_the_same_file(tmp_path: Path) -> None:
    """A second curation into a file is refused while the first goes on; afterwards nothing of either is left."""
    with workplace(tmp_path / "out.jsonl"), pytest.raises(BusyError):
        curated(tmp_path, [{"instruction": "a", "output": "good answer"}], RULES)
    curated(tmp_path, [{"instruction": "a", "output": "good answer"}], RULES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "r.html", "r.json"]
