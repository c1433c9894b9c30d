"""Every kind of wrong environment gets its exit code, a fact and the next command, at the command line itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cli.app import app
from cli.boundary import guarded
from provisioning.rehearsal.service import end, ensure_running, script_faults
from runs.spec.recipes import write_recipe
from tests.fakes.wrong_environments import WRONG_ENVIRONMENTS, WrongEnvironment
from tests.fakes.wrong_places import WRONG_PLACES, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

    from provisioning.rehearsal.service import EmulatorHandle

# What differs from one computer, or one time, to the next.
_CHANGING = (
    (re.compile(r"tiny-cpu-[a-z2-7]{6}"), "tiny-cpu-RUN"),
    (re.compile(r"127\.0\.0\.1:(?!9\b)\d+|port=(?!9\b)\d+"), "HERE"),
    (re.compile(r"[0-9a-f]{8}-(?!0000-0000-0000)[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"process \d+ on \S+"), "process PID on HOST"),
    (re.compile(r" at 0x[0-9a-f]+"), " at ADDRESS"),
    (re.compile(r"\d+ days"), "DAYS days"),
)


@dataclass(frozen=True, slots=True)
class Around:
    """A rehearsal cloud, and a run file that is right."""

    emulator: EmulatorHandle
    run_file: Path


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    """One for the module; what failed runs leave in the cloud goes with it."""
    handle = ensure_running(tmp_path_factory.mktemp("wrong") / "state")
    yield Around(handle, write_recipe("tiny-cpu", tmp_path_factory.mktemp("right")))
    assert end(handle)


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Does something at the boundary of the command line; gives the exit code, the error and its hint."""

    def complain(call: Callable[[], object], *hidden: Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            guarded(call)
        said = capsys.readouterr().err
        for number, folder in enumerate(hidden):
            said = said.replace(str(folder), "FOLDER" if number == 0 else f"FOLDER{number + 1}")
        for pattern, word in _CHANGING:
            said = pattern.sub(word, said)
        fact, _, hint = said[said.index("error:") :].partition("hint:")
        assert isinstance(caught.value.code, int)
        return caught.value.code, " ".join(fact.split()), " ".join(hint.split())

    return complain


def assert_leads_on(hint: str) -> None:
    """A hint names the next command; one of ours must exist."""
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    ours = re.findall(r"llamalift ([a-z]+)", hint)
    assert set(ours) <= known, hint
    assert ours or re.search(r"\baz [a-z]|\bexport [A-Z]|\btimedatectl\b|\bkill \d", hint), hint


@pytest.mark.parametrize("case", WRONG_ENVIRONMENTS)
def test_a_wrong_environment_is_refused_in_these_words(
    case: str,
    around: Around,
    complaint: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    """Each wrong environment gets exactly this code, fact and hint; a reviewer reads them in the snapshot."""
    wrong, emulator = WRONG_ENVIRONMENTS[case], around.emulator
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(emulator.state_folder.parent))
    for name, value in wrong.variables.items():
        monkeypatch.setenv(name, value)
    script_faults(emulator, *wrong.faults)
    try:
        said = complaint(lambda: attempt(wrong, around), around.run_file.parent)
    finally:
        script_faults(emulator)
    assert said == snapshot
    assert said[0] in {2, 3, 6}
    assert_leads_on(said[2])


def attempt(wrong: WrongEnvironment, around: Around) -> object:
    """Do what is bound to fail."""
    if wrong.call is not None:
        return wrong.call(around.emulator)
    # One place, so that one refusal is the last.
    text = around.run_file.read_text().replace("machine:\n", "machine:\n  regions: [eastus]\n")
    for old, new in wrong.changes.items():
        assert old in text
        text = text.replace(old, new)
    # What a failed run made stays: the whole cloud goes at the end.
    file = around.run_file.with_name("wrong.yaml")
    file.write_text(f"{text}\non_failure: keep\n")
    return app(["up", str(file)])


@pytest.mark.parametrize("case", WRONG_PLACES)
def test_a_wrong_place_is_refused_in_these_words(
    case: str,
    tmp_path: Path,
    complaint: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    """The same for what is wrong on this computer: state folder, journal, files, secrets, names of runs."""
    place = Place(tmp_path, write_recipe("tiny-cpu", tmp_path / "work"), monkeypatch)
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(place.state))
    argv = WRONG_PLACES[case](place)
    said = complaint(lambda: app(argv), tmp_path)
    assert said == snapshot
    assert_leads_on(said[2])


def test_the_table_is_large_enough() -> None:
    """Sixty and more, no two with the same words."""
    assert len(WRONG_ENVIRONMENTS) + len(WRONG_PLACES) >= 60
