"""Every kind of wrong run file is refused with its place, what is expected, and the nearest known key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.problems import problem_line
from runs.errors import SpecError
from runs.spec.load import load_run_file
from tests.unit.wrong_run_files import GOOD, WRONG

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model, rows and a run file's surroundings."""
    for name in ("weights", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    (tmp_path / "rows.json").write_text("[]")
    (tmp_path / "rows.parquet").write_text("")
    return tmp_path


def refusal(folder: Path, text: str) -> list[str]:
    """The problem lines of a run file that must be refused."""
    file = folder / "run.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_run_file(file)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return [problem_line(problem, "run.yaml").replace(str(folder), "FOLDER") for problem in caught.value.problems]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_run_file_is_refused_in_these_words(case: str, folder: Path, snapshot: SnapshotAssertion) -> None:
    """Each wrong run file gets exactly these lines; a reviewer reads them in the snapshot."""
    assert snapshot == refusal(folder, WRONG[case])


def test_the_good_run_file_of_the_table_is_accepted(folder: Path) -> None:
    """What the table breaks is right before it is broken."""
    (folder / "run.yaml").write_text(GOOD)
    assert load_run_file(folder / "run.yaml").spec.name == "fine"


def test_every_problem_is_reported_at_once(folder: Path) -> None:
    """Unknown keys, wrong values and absent files come together, in the order of the file."""
    lines = refusal(folder, WRONG["many at once"])
    assert [line.split(": ")[1] for line in lines] == [
        "data", "name", "cloud", "model.from", "limits.hours", "limits.hour", "train.weight_deca", "train.bf16",
    ]  # fmt: skip


def test_a_file_that_is_not_there_is_refused_with_the_next_command(tmp_path: Path) -> None:
    """A missing run file names itself and says what writes one."""
    with pytest.raises(SpecError) as caught:
        load_run_file(tmp_path / "gone.yaml")
    assert "llamalift init" in caught.value.hint


def test_an_over_long_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A megabyte is more than any run file has."""
    (tmp_path / "run.yaml").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(SpecError) as caught:
        load_run_file(tmp_path / "run.yaml")
    assert "1,048,576 bytes" in caught.value.problems[0].message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are named, not guessed at."""
    (tmp_path / "run.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(SpecError) as caught:
        load_run_file(tmp_path / "run.yaml")
    assert "UTF-8" in caught.value.problems[0].message
