"""Who is told when a run is done, has failed or has spent much: the right ones, once, and never to the run's harm."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remote.agent import Limits, parse_status
from runs.context import RunContext
from runs.errors import SpecError, TrainingFailedError
from runs.journal import Journal
from runs.notify.senders import Message, NotToldError, on_desktop, to_webhook
from runs.notify.settings import Settings, UserConfig, check, read_config, settings_of
from runs.notify.tell import tell_budget, tell_done, tell_failed
from runs.spec.load import load_run_text
from runs.spec.notify import Notify
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, Silent
from tests.fakes.agent_answer import agent_answer
from tests.fakes.webhook import webhook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runs.types import Reporter

RUN = "tiny-aaaaaa"
RUN_FILE = "name: tiny\nmodel: {from: ./m}\ndata: {from: ./d.json}\n"


class Notes(Silent):
    """A reporter that keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], RunContext]:
    """Makes a run's context of its section `notify`; there is no config file, and no desktop."""
    monkeypatch.setenv("LLAMALIFT_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def make(section: str, reporter: Reporter | None = None) -> RunContext:
        state = StateFolder(tmp_path / "state")
        text = f"{RUN_FILE}notify: {section}\n"
        row = RunRow(RUN, "tiny", "rehearsal", 1.0, "run.yaml", text, "0", RunState.ACTIVE)
        journal = Journal(state.journal)
        if not journal.runs():
            journal.add_run(row)
        return RunContext(row, load_run_text(text, tmp_path / "run.yaml"), journal, state, reporter or Notes())

    return make


def test_a_webhook_gets_what_slack_takes(context: Callable[[str], RunContext], monkeypatch: pytest.MonkeyPatch) -> None:
    """One JSON object with the text: what has happened, why, and the next command."""
    with webhook() as hook:
        monkeypatch.setenv("TEAM_HOOK", hook.address)
        error = TrainingFailedError("training ended without a model: loss is NaN", hint="lower the learning rate")
        tell_failed(context("{webhook: TEAM_HOOK}"), error)
    (body,) = hook.bodies
    assert json.loads(body) == {
        "text": f"*{RUN} has failed*\ntraining ended without a model: loss is NaN\nhint: lower the learning rate"
    }


def test_a_webhook_that_fails_fails_nothing(
    context: Callable[[str, Notes], RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried twice, noted, and in the journal; its address is in neither, because who knows it may write there."""
    notes = Notes()
    made = context("{webhook: TEAM_HOOK}", notes)
    with webhook(500, 503) as hook:
        monkeypatch.setenv("TEAM_HOOK", hook.address)
        tell_done(made, None)
    assert len(hook.bodies) == 2
    assert notes.notes == ["the webhook was not told: the webhook did not take it: it answered 503"]
    monkeypatch.setenv("TEAM_HOOK", "gopher://hush-hush")
    tell_done(made, None)
    monkeypatch.delenv("TEAM_HOOK")
    tell_done(made, None)
    told = [event.text for event in made.journal.events(RUN)] + notes.notes
    assert [text for text in told if "hush" in text] == []
    assert any("https://" in note for note in notes.notes)
    assert any("TEAM_HOOK" in note for note in notes.notes)


def test_a_refusal_is_not_repeated() -> None:
    """What the webhook says is wrong stays wrong; the words are without the address."""
    with webhook(403) as hook, pytest.raises(NotToldError, match="answered 403") as caught:
        to_webhook(hook.address, Message("t", "x"))
    assert len(hook.bodies) == 1
    assert "hush" not in str(caught.value)


def test_the_desktop_gets_title_and_text_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are arguments of a program: nothing in them is run, and a dash begins no option."""
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/told\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    on_desktop(Message("--icon=x", "$(touch /tmp/never) `id`"))
    assert (tmp_path / "told").read_text() == "--app-name=llamalift|--|--icon=x|$(touch /tmp/never) `id`|"


def test_without_a_desktop_it_says_so(context: Callable[[str, Notes], RunContext]) -> None:
    """On a server there is none; the run does not mind."""
    notes = Notes()
    tell_done(context("{desktop: true}", notes), None)
    assert notes.notes == ["the desktop was not told: no program for messages here (notify-send or osascript)"]


def test_each_level_of_the_budget_is_told_once(
    context: Callable[[str], RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a client looks, and whichever: half, 80 and 95 per cent."""
    status = parse_status(json.dumps(agent_answer()).encode())
    with webhook() as hook:
        monkeypatch.setenv("TEAM_HOOK", hook.address)
        for spent in (1.0, 2.6, 2.7, 4.1, 4.2, 5.0, 5.1):
            limits = Limits(dollars_cap=5.0, dollars_so_far=spent)
            tell_budget(context("{webhook: TEAM_HOOK}"), replace(status, limits=limits))
    titles = [json.loads(body)["text"].partition("\n")[0] for body in hook.bodies]
    assert titles == [f"*{RUN}: {level} % of its dollars are spent*" for level in (50, 80, 95)]


def test_only_what_was_asked_for_is_told(context: Callable[[str], RunContext], monkeypatch: pytest.MonkeyPatch) -> None:
    """`when` leaves the rest out, and without a section nobody is told anything."""
    with webhook() as hook:
        monkeypatch.setenv("TEAM_HOOK", hook.address)
        tell_done(context("{webhook: TEAM_HOOK, when: [failed]}"), None)
        tell_done(context("{}"), None)
    assert hook.bodies == []


def test_the_run_file_goes_over_the_users_own_word() -> None:
    """`auto` leaves it to the config file; anything else does not."""
    config = UserConfig(notify=Notify(desktop=True, webhook="MINE", when=("failed",)))
    assert settings_of(Notify(), config) == Settings(desktop=True, webhook="MINE", when=frozenset(["failed"]))
    mine = Notify(desktop=False, webhook=None, when=("done",))
    assert settings_of(mine, config).is_silent
    assert settings_of(Notify(), UserConfig()).is_silent


def test_a_wrong_config_file_is_told_like_a_wrong_run_file(tmp_path: Path) -> None:
    """With line, path and the nearest known key; an empty or absent one says nothing."""
    file = tmp_path / "config.yaml"
    assert read_config(file) == UserConfig()
    file.write_text("# later\n")
    assert read_config(file) == UserConfig()
    file.write_text("notify:\n  webhok: MINE\n")
    with pytest.raises(SpecError) as caught:
        read_config(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.path, problem.suggestion) == (2, "notify.webhok", "webhook")


def test_a_named_webhook_without_a_value_is_refused_before_anything_exists(
    context: Callable[[str], RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that could tell nobody is found out on the first day, not on the last."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    with pytest.raises(SpecError, match="NO_SUCH_HOOK"):
        check(context("{webhook: NO_SUCH_HOOK}").spec)
