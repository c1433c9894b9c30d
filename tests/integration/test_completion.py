"""Completion as somebody types it: real bash, zsh and fish with the printed scripts, real run ids."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cli.completion.words import commands
from runs.journal import Journal
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState
from tests.fakes.terminal import LLAMALIFT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_llamalift
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A state folder with a run that lives and one that has ended, and `llamalift` on the PATH."""
    journal = Journal(StateFolder(tmp_path / "state").journal)
    for number, (run_id, state) in enumerate([("tiny-aaaaaa", RunState.ACTIVE), ("tidy-bbbbbb", RunState.ENDED)]):
        journal.add_run(RunRow(run_id, run_id[:4], "rehearsal", 100.0 - number, "run.yaml", "", "0", state))
    path = os.pathsep.join([str(LLAMALIFT.parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "LLAMALIFT_STATE_DIR": str(tmp_path / "state"), "HOME": str(tmp_path)}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What `llamalift completion SHELL` prints, as files."""
    folder = tmp_path_factory.mktemp("scripts")
    files = {shell: folder / f"_llamalift.{shell}" for shell in ("bash", "zsh", "fish")}
    for shell, file in files.items():
        file.write_bytes(subprocess.run([LLAMALIFT, "completion", shell], check=True, capture_output=True).stdout)
    return files


def needed(shell: str, scripts: dict[str, Path]) -> Path:
    """The script of a shell that is here; without the shell the test is skipped."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    return scripts[shell]


def in_bash(file: Path, environment: dict[str, str], *words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    argv = ["bash", "--norc", "-c", BASH, "bash", str(file), "llamalift", *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.split()


def in_fish(file: Path, environment: dict[str, str], *words: str) -> list[str]:
    """What fish offers for the last of `words`."""
    line = " ".join(["llamalift", *words])
    argv = ["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"]
    listed = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout
    return [one.split("\t")[0] for one in listed.splitlines()]


CASES: Sequence[tuple[tuple[str, ...], list[str]]] = [
    (("sta",), ["status"]),
    (("status", "ti"), ["tiny-aaaaaa", "tidy-bbbbbb"]),
    (("down", "--discard", "ti"), ["tiny-aaaaaa"]),
    (("up", "--on-f"), ["--on-failure"]),
    (("up", "--on-failure", "dea"), ["deallocate"]),
    (("sweep", "--run", "tid"), ["tidy-bbbbbb"]),
    (("completion", "zs"), ["zsh"]),
]


@pytest.mark.parametrize(("words", "offered"), CASES, ids=" ".join)
def test_bash_offers_what_fits(
    words: tuple[str, ...], offered: list[str], environment: dict[str, str], scripts: dict[str, Path]
) -> None:
    """Commands, options, their words, and run ids; those of ended runs only where they are of use."""
    assert in_bash(needed("bash", scripts), environment, *words) == offered


@pytest.mark.parametrize(("words", "offered"), CASES, ids=" ".join)
def test_fish_offers_what_fits(
    words: tuple[str, ...], offered: list[str], environment: dict[str, str], scripts: dict[str, Path]
) -> None:
    """The same in fish."""
    assert sorted(in_fish(needed("fish", scripts), environment, *words)) == sorted(offered)


def test_bash_takes_an_equals_sign_and_leaves_files_to_itself(
    environment: dict[str, str], scripts: dict[str, Path]
) -> None:
    """`--on-failure=k`, which bash takes apart; a run file is completed by bash's own rule."""
    file = needed("bash", scripts)
    assert in_bash(file, environment, "up", "--on-failure", "=", "k") == ["keep"]
    assert in_bash(file, environment, "up", "run") == []


def test_zsh_completes_commands_and_run_ids(
    environment: dict[str, str], scripts: dict[str, Path], tmp_path: Path
) -> None:
    """Typed in a terminal: the tab key finishes the command, and then the run."""
    file = needed("zsh", scripts)
    primary, secondary = pty.openpty()
    argv = ["zsh", "-f", "-i"]
    settings = {"TERM": "dumb", "PS1": "> ", "PROMPT_EOL_MARK": ""}
    shell = subprocess.Popen(
        argv, env=environment | settings, stdin=secondary, stdout=secondary, stderr=secondary, start_new_session=True
    )
    try:
        os.write(
            primary, f"autoload -Uz compinit; compinit -u -d {tmp_path}/dump; source {file}; echo rea''dy\n".encode()
        )
        seen = _read_until(primary, "ready\r\n")
        os.write(primary, b"\x15llamalift statu\t")
        seen = _read_until(primary, "llamalift status ")
        os.write(primary, b"tin\t")
        seen = _read_until(primary, "tiny-aaaaaa")
        assert "tidy" not in seen
    finally:
        shell.kill()
        shell.wait()
        os.close(primary)
        os.close(secondary)


def _read_until(descriptor: int, words: str, seconds: float = 30) -> str:
    seen, deadline = "", time.monotonic() + seconds
    while words not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(descriptor, 4096).decode(errors="replace")
    return seen


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_in_the_script(shell: str, scripts: dict[str, Path]) -> None:
    """No command is forgotten, and the shell finds no mistake."""
    file = needed(shell, scripts)
    subprocess.run([shell, "-n", file], check=True)
    text = file.read_text()
    assert [one.name for one in commands() if one.name not in text] == []


def test_run_ids_are_where_the_state_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way to the journal leads to the same file as the long one."""
    from cli.completion.run_ids import _journal

    monkeypatch.delenv("LLAMALIFT_STATE_DIR", raising=False)
    assert _journal() == str(StateFolder.of_user().journal)
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", "relative")
    assert _journal() == str(StateFolder.of_user().journal)


def test_the_short_way_loads_little(environment: dict[str, str]) -> None:
    """Asking for run ids loads neither Typer, pydantic nor the journal's module: a key was pressed."""
    code = (
        "import sys; sys.argv = ['llamalift', '__run-ids']; from cli.start import main; main();"
        "print(sorted({'typer', 'pydantic', 'runs.journal', 'rich'} & set(sys.modules)),"
        "file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["tiny-aaaaaa\trehearsal active", "tidy-bbbbbb\trehearsal ended"]
    assert done.stderr.strip() == "[]"
