"""Rows of files, however the files are cut into pieces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from templates.curation.curate import curate
from templates.curation.errors import CurationError, InputError
from templates.curation.rows import UnusableError, texts_of
from templates.curation.rules import LengthCondition, Rule, RuleSet

if TYPE_CHECKING:
    from pathlib import Path

    from templates.curation.report import Report

NOTHING = RuleSet(
    "nothing", (Rule("long", drops=True, where="all", condition=LengthCondition("characters", over=10**9)),)
)
# Brackets, quotes and escapes as in code that people ask about; letters of two, three and four bytes.
TEXT = st.text('{}[],:"\\ \n\t\u00e9\u65e5\U0001f600ab', min_size=1, max_size=12).map(lambda text: f"x{text}")
ROW = st.fixed_dictionaries(
    {"instruction": TEXT, "output": TEXT},
    optional={
        "input": TEXT,
        "id": st.integers(),
        "tags": st.lists(st.dictionaries(TEXT, TEXT, max_size=2), max_size=3),
    },
)
TURNS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3).map(
    lambda pairs: {
        "conversations": [
            turn
            for asked, said in pairs
            for turn in ({"from": "human", "value": asked}, {"from": "gpt", "value": said})
        ]
    }
)
ROWS = st.lists(ROW | TURNS, min_size=1, max_size=12)
SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


def curated(source: Path, rules: RuleSet = NOTHING, *, name: str = "out.jsonl", **more: Any) -> Report:  # noqa: ANN401
    """Curate beside the source, by this process alone."""
    folder = source.parent
    more = {"workers": 1, **more}
    return curate(source, folder / name, rules, report_json=folder / "r.json", report_html=folder / "r.html", **more)


@SETTINGS
@given(ROWS, st.sampled_from([None, 1, 2]), st.booleans(), st.integers(10, 200))
def test_a_list_cut_anywhere_is_the_same_list(
    tmp_path: Path,
    rows: list[dict[str, Any]],
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 (hypothesis gives it)
    piece: int,
) -> None:
    """Pieces of a few bytes begin within rows, texts, escapes and letters; no row is lost, doubled or changed."""
    source = tmp_path / "in.json"
    source.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    assert curated(source, piece_bytes=piece).kept == len(rows)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows


@SETTINGS
@given(ROWS, st.sampled_from(["\n", "\r\n", "\n\n  \n"]), st.booleans(), st.integers(10, 200))
def test_lines_cut_anywhere_are_the_same_lines(
    tmp_path: Path,
    rows: list[dict[str, Any]],
    end: str,
    ends_well: bool,  # noqa: FBT001 (hypothesis gives it)
    piece: int,
) -> None:
    """Rows of JSON lines come out as they went in, letter by letter, whatever ends the lines."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    source = tmp_path / "in.jsonl"
    source.write_bytes((end.join(lines) + (end if ends_well else "")).encode())
    curated(source, piece_bytes=piece)
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "".join(f"{line}\n" for line in lines)


def test_a_list_can_be_written(tmp_path: Path) -> None:
    """An output that ends in .json is a list, which is what it was read from."""
    rows = [{"instruction": "a", "output": "b\n", "input": ""}, {"instruction": "c", "output": "d"}]
    (tmp_path / "in.json").write_text("\ufeff" + json.dumps(rows, indent=2), encoding="utf-8")
    curated(tmp_path / "in.json", name="out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == rows


def test_a_row_may_be_larger_than_many_pieces(tmp_path: Path) -> None:
    """A row of megabytes among small ones is one row, in a list and in lines."""
    rows = [{"instruction": "a", "output": text} for text in ("b", 'q"}, {"\\' * 300_000, "c")]
    for name, text in (("in.json", json.dumps(rows)), ("in.jsonl", "\n".join(map(json.dumps, rows)))):
        (tmp_path / name).write_text(text)
        assert curated(tmp_path / name, piece_bytes=20_000).kept == 3
        assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == rows


def test_parquet(tmp_path: Path) -> None:
    """Row groups and batches come in order; what JSON has no word for is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"instruction": f"é{n}", "output": "b", "score": 0.5 if n % 2 else float("nan")} for n in range(5000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet", row_group_size=2100)
    assert curated(tmp_path / "in.parquet").kept == 5000
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found == [{**row, "score": row["score"] if number % 2 else None} for number, row in enumerate(rows)]


def test_a_folder_is_its_training_files(tmp_path: Path) -> None:
    """In the order of their names, without what only describes or tests the data."""
    folder = tmp_path / "data"
    (folder / "data").mkdir(parents=True)
    for name in ("data/train-1.jsonl", "data/train-0.jsonl", "data/test-0.jsonl"):
        (folder / name).write_text(json.dumps({"instruction": name, "output": "x"}) + "\n")
    (folder / "dataset_infos.json").write_text("{}")
    report = curated(folder)
    assert report.input_names == ("train-0.jsonl", "train-1.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["instruction"] for line in lines] == ["data/train-0.jsonl", "data/train-1.jsonl"]


GOOD = '{"instruction": "a", "output": "b"}'


@pytest.mark.parametrize("piece", [7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no rows in the data"),
        ("[]", "the rules leave none of 0 rows"),
        ("hello", "expected a JSON list, JSON lines or Parquet"),
        (f"[{GOOD}, {GOOD}", "the list is cut off; in row 3"),
        (f'[{GOOD}, {{"instruction": "a', "in row 2 of"),
        (f"[{GOOD}, {GOOD}] {{}}", "more after the end of the list; in row 3"),
        (f"[{GOOD} {GOOD}]", "expected , or ]; in row 2"),
        (f"{GOOD}\n{GOOD[:-2]}\n{GOOD}", "in row 2 of"),
        (f"{GOOD}\n{GOOD} {GOOD}", "more after the row, at character: 36; in row 2"),
        (f"{GOOD}\n{'[' * 100_000}", "nested too deeply; in row 2"),
        ("PAR1 and no more", "not Parquet"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: str, words: str, piece: int) -> None:
    """With file and row; and no output appears."""
    (tmp_path / "in").write_text(content)
    with pytest.raises(InputError) as refused:
        curated(tmp_path / "in", piece_bytes=piece)
    assert words in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """Not UTF-8 is said with its place."""
    (tmp_path / "in.jsonl").write_bytes(GOOD.encode() + b'\n{"instruction": "\xff"}\n')
    with pytest.raises(CurationError, match="not UTF-8"):
        curated(tmp_path / "in.jsonl")


@pytest.mark.parametrize(
    ("row", "prompts", "answers"),
    [
        ({"instruction": "a", "input": None, "output": "b"}, ("a",), ("b",)),
        ({"instruction": "a", "input": "c", "output": "b", "more": 1}, ("a", "c"), ("b",)),
        (
            {"messages": [{"role": role, "content": role} for role in ("system", "user", "assistant")]},
            ("system", "user"), ("assistant",),
        ),
        (
            {"conversations": [{"from": who, "value": who} for who in ("human", "gpt", "user", "chatgpt")]},
            ("human", "user"), ("gpt", "chatgpt"),
        ),
    ],
)  # fmt: skip
def test_shapes_of_rows(row: object, prompts: tuple[str, ...], answers: tuple[str, ...]) -> None:
    """Alpaca, messages with roles, and ShareGPT's conversations."""
    texts = texts_of(row)
    assert (texts.prompts, texts.answers) == (prompts, answers)


@pytest.mark.parametrize(
    "row",
    [
        5, None, [], {}, {"instruction": "a"}, {"instruction": "a", "output": 5}, {"instruction": " ", "output": "b"},
        {"instruction": "a", "output": "\n"}, {"instruction": "a", "output": "b", "input": 5},
        {"conversations": []}, {"conversations": [{"from": "human", "value": "a"}]}, {"messages": "a"},
        {"messages": [{"role": [], "content": "a"}]},
        {"conversations": [{"from": who, "value": "a"} for who in ("gpt", "human")]},
        {"conversations": [{"from": "gpt", "value": None}]}, {"messages": ["a"]},
        {"instruction": "a", "output": "\ud800"},
    ],
)  # fmt: skip
def test_rows_that_nobody_can_train_on(row: object) -> None:
    """They are told apart from rows with texts, and never end a curation."""
    with pytest.raises(UnusableError):
        texts_of(row)
