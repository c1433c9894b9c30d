"""YAML is read as people write it: no surprise conversions, exact places, and nothing that could explode."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.spec.yaml_reader import Position, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5), ("2E-5", 2e-5), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("+1.5", 1.5), ("-7", -7),
        ("0x1F", 31), ("0o17", 15), ("017", 17), ("1_000", "1_000"), ("12:30", "12:30"), ("1:30:00", "1:30:00"),
        ("2026-11-22", "2026-11-22"), ("NO", "NO"), ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("true", True),
        ("False", False), ("null", None), ("~", None), ("", None), ("'2e-5'", "2e-5"), ('"true"', "true"),
        ("1e", "1e"), ("1.2.3", "1.2.3"), ("=", "="), ("0o8", "0o8"), ("-.inf", -math.inf),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """Numbers are numbers, also 2e-5; words that YAML 1.1 converts stay words."""
    document = read_yaml(f"key: {text}".encode())
    assert document.problems == []
    assert document.values == {"key": value}
    assert type(document.values["key"]) is type(value)


def test_dot_nan_is_a_number() -> None:
    """It reads as the float it is; the models refuse it."""
    assert math.isnan(read_yaml(b"key: .nan").values["key"])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_reads_back(value: float) -> None:
    """Whatever form Python chooses, the same number comes back."""
    assert read_yaml(f"key: {value!r}".encode()).values == {"key": value}


def test_places_are_those_of_an_editor() -> None:
    """Lines and columns count from 1, for keys, values and list items."""
    document = read_yaml(b"a:\n  b: 1\n  c:\n    - x\n    - y\n")
    assert document.keys["a", "b"] == Position(2, 3)
    assert document.found["a", "b"] == Position(2, 6)
    assert document.found["a", "c", 1] == Position(5, 7)


def test_a_place_that_is_not_in_the_file_is_told_by_the_nearest_around_it() -> None:
    """A missing key is shown at its section."""
    document = read_yaml(b"a:\n  b: 1\n")
    assert document.position(("a", "gone", "further"), of_key=True) == Position(1, 1)
    assert document.position(("nowhere",), of_key=True) == Position(1, 1)


def test_an_alias_may_be_used_in_moderation() -> None:
    """Anchors and aliases are YAML; only explosions are refused."""
    document = read_yaml(b"a: &x [1, 2]\nb: *x\n")
    assert document.values == {"a": [1, 2], "b": [1, 2]}
    assert document.problems == []


def test_a_billion_laughs_ends_at_once() -> None:
    """Nine levels of nine aliases are refused in well under a second of work."""
    levels = "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi"))  # noqa: B905
    start = time.process_time()
    document = read_yaml(f"a: &a [{', '.join('x' * 9)}]\n{levels}".encode())
    assert time.process_time() - start < 2
    assert document.values is None
    assert len(document.problems) == 1


def test_a_tag_never_runs_anything() -> None:
    """Python tags are refused, and what they name is not even looked up."""
    document = read_yaml(b"a: !!python/object/apply:os.mkdir [/tmp/llamalift-must-not-exist]\nb: 1\n")
    assert [problem.path for problem in document.problems] == ["a"]
    assert document.values == {"a": None, "b": 1}
