"""What is wrong on this computer before the cloud is asked anything, each in its own way."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.journal import Journal
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


@dataclass(frozen=True, slots=True)
class Place:
    """Where a wrong command is given.

    Attributes:
        folder: Empty but for what follows.
        run_file: A run file that is right, with what it names beside it.
        variables: Sets environment variables.
    """

    folder: Path
    run_file: Path
    variables: pytest.MonkeyPatch

    @property
    def state(self) -> Path:
        """The state folder; not there yet."""
        return self.folder / "state"

    def journal(self, *run_ids: str) -> Journal:
        """A journal that knows these runs, none of which has anything in a cloud."""
        journal = Journal(StateFolder(self.state).journal)
        for number, run_id in enumerate(run_ids):
            text = self.run_file.read_text()
            name = run_id.rpartition("-")[0]
            row = RunRow(run_id, name, "rehearsal", 1.7e9 + number, str(self.run_file), text, "0", RunState.ACTIVE)
            journal.add_run(row)
        return journal

    def change(self, old: str, new: str) -> None:
        """Replace something in the run file."""
        text = self.run_file.read_text()
        assert old in text
        self.run_file.write_text(text.replace(old, new))

    def plan(self) -> list[str]:
        """The command that only checks it."""
        return ["plan", str(self.run_file)]

    def up(self) -> list[str]:
        """The command that begins the run."""
        return ["up", str(self.run_file)]


def _state_is_a_file(place: Place) -> list[str]:
    place.state.write_text("")
    return place.up()


def _state_under_a_file(place: Place) -> list[str]:
    place.variables.setenv("LLAMALIFT_STATE_DIR", "/dev/null/llamalift")
    return place.up()


def _state_not_to_be_made(place: Place) -> list[str]:
    place.variables.setenv("LLAMALIFT_STATE_DIR", "/proc/llamalift")
    return place.up()


def _journal_of_another_version(place: Place) -> list[str]:
    file = place.journal().file
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    return ["ls"]


def _journal_that_is_none(place: Place) -> list[str]:
    place.state.mkdir()
    StateFolder(place.state).journal.write_text("not a database, and long enough to be looked at as one " * 20)
    return ["ls"]


def _cloud_cannot_live_there(place: Place) -> list[str]:
    place.state.mkdir()
    (place.state / "rehearsal").write_text("")
    return place.up()


def _no_run_yet(_place: Place) -> list[str]:
    return ["status", "tiny"]


def _unknown_run(place: Place) -> list[str]:
    place.journal("tiny-cpu-aaaaaa")
    return ["resume", "large"]


def _ambiguous_run(place: Place) -> list[str]:
    place.journal("tiny-cpu-aaaaaa", "tiny-cpu-bbbbbb")
    return ["down", "tiny"]


def _driven_by_another(place: Place) -> list[str]:
    journal = place.journal("tiny-cpu-aaaaaa")
    journal.write(
        "INSERT INTO leases VALUES (?, ?, ?, ?, ?)",
        "tiny-cpu-aaaaaa", "other", socket.gethostname(), os.getpid(), time.time(),
    )  # fmt: skip
    return ["resume", "tiny-cpu-aaaaaa"]


def _no_model_to_collect(place: Place) -> list[str]:
    place.journal("tiny-cpu-aaaaaa")
    return ["collect", "tiny-cpu-aaaaaa"]


def _no_machine_to_enter(place: Place) -> list[str]:
    place.journal("tiny-cpu-aaaaaa")
    return ["ssh", "tiny-cpu-aaaaaa"]


def _no_run_file(place: Place) -> list[str]:
    return ["up", str(place.folder / "gone.yaml")]


def _run_file_is_a_folder(place: Place) -> list[str]:
    return ["up", str(place.folder)]


def _secret_not_set(place: Place) -> list[str]:
    place.variables.delenv("HF_TOKEN", raising=False)
    place.change("cloud: rehearsal", "cloud: rehearsal\nsecrets: [HF_TOKEN]")
    return place.up()


def _target_is_full(place: Place) -> list[str]:
    (place.run_file.parent / "model").mkdir()
    (place.run_file.parent / "model" / "thesis.txt").write_text("years of work")
    return place.up()


def _target_is_a_file(place: Place) -> list[str]:
    (place.run_file.parent / "model").write_text("")
    return place.up()


def _unknown_recipe(place: Place) -> list[str]:
    return ["init", str(place.folder / "new"), "--recipe", "tiny-gpu"]


def _init_over_a_run_file(place: Place) -> list[str]:
    return ["init", str(place.run_file.parent), "--recipe", "tiny-cpu"]


def _size_without_room(place: Place) -> list[str]:
    place.change("  processes: 2", "  processes: 99")
    return place.plan()


def _gpu_in_rehearsal(place: Place) -> list[str]:
    place.change("Standard_D2s_v5", "Standard_NC24ads_A100_v4")
    return place.plan()


def _unknown_size(place: Place) -> list[str]:
    place.change("Standard_D2s_v5", "Standard_D2s_v55")
    return place.plan()


def _disk_too_small(place: Place) -> list[str]:
    place.change("collect:", "storage: {workspace_gib: 1}\ncollect:")
    return place.plan()


def _rows_that_are_none(place: Place) -> list[str]:
    (place.run_file.parent / "instructions.json").write_text('{"rows": 3}')
    return place.plan()


def _rows_without_answers(place: Place) -> list[str]:
    (place.run_file.parent / "instructions.json").write_text('[{"instruction": "Say it."}]')
    return place.plan()


def _deepspeed_that_cannot_be(place: Place) -> list[str]:
    (place.run_file.parent / "ds.json").write_text('{"train_batch_size": 7, "zero_optimization": {"stage": 3}}')
    place.change("deepspeed: zero3", "deepspeed: ./ds.json")
    return place.plan()


WRONG_PLACES: dict[str, Callable[[Place], list[str]]] = {
    "the state folder is a file": _state_is_a_file,
    "the state folder is under a file": _state_under_a_file,
    "the state folder cannot be made": _state_not_to_be_made,
    "a journal of another version": _journal_of_another_version,
    "a journal that is none": _journal_that_is_none,
    "the rehearsal cloud cannot live there": _cloud_cannot_live_there,
    "no run yet": _no_run_yet,
    "an unknown run": _unknown_run,
    "a name of two runs": _ambiguous_run,
    "another client drives the run": _driven_by_another,
    "no model to collect": _no_model_to_collect,
    "no machine to enter": _no_machine_to_enter,
    "no run file": _no_run_file,
    "the run file is a folder": _run_file_is_a_folder,
    "a secret is not set": _secret_not_set,
    "the place for the model is full": _target_is_full,
    "the place for the model is a file": _target_is_a_file,
    "an unknown recipe": _unknown_recipe,
    "init over a run file": _init_over_a_run_file,
    "more processes than the size has": _size_without_room,
    "a GPU on this computer": _gpu_in_rehearsal,
    "a size that nobody has": _unknown_size,
    "a disk that is too small": _disk_too_small,
    "rows that are none": _rows_that_are_none,
    "rows without answers": _rows_without_answers,
    "a DeepSpeed configuration that cannot be": _deepspeed_that_cannot_be,
}
