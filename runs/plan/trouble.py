"""Collects every reason why a run cannot work, each with its place in the run file."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from runs.errors import Problem
from runs.plan.sizes import known_sizes
from runs.spec.load import wrong_run_file
from runs.spec.yaml_reader import path_words, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from runs.spec.load import LoadedRunFile
    from runs.spec.yaml_reader import Document, Place


class Trouble:
    """Every reason found so far."""

    def __init__(self, path: Path, document: Document, stage: int | None = None) -> None:
        self._path = path
        self._document = document
        self._stage = stage
        self._problems: list[Problem] = []

    @classmethod
    def of(cls, loaded: LoadedRunFile) -> Trouble:
        """Nothing found yet in a run file."""
        return cls(loaded.path, read_yaml(loaded.text.encode()))

    def fork(self) -> Trouble:
        """Nothing found yet in the same run file: for what is tried and may be given up."""
        return Trouble(self._path, self._document, self._stage)

    def of_stage(self, number: int) -> Trouble:
        """Nothing found yet in one stage of the same run file, which says at its own places what a run says once."""
        return Trouble(self._path, self._document, number)

    def join(self, other: Trouble) -> None:
        """Take over what another one found and this one has not."""
        self._problems += [problem for problem in other.problems if problem not in self._problems]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything found so far."""
        return tuple(self._problems)

    def add(self, place: Place, message: str, suggestion: str = "") -> None:
        """Note a reason at a place of the run file; the place itself may have been left to its default."""
        place = self._placed(place)
        position = self._document.position(place, of_key=False)
        line, column = (position.line, position.column) if position else (None, None)
        self._problems.append(Problem(path_words(place), message, line, column, suggestion))

    def _placed(self, place: Place) -> Place:
        if self._stage is None:
            return place
        own = ("train", self._stage, *(place[1:] if place[0] == "train" else place))
        is_own = place[0] == "train" or (place[0] == "data" and own[:3] in self._document.found)
        return own if is_own else place

    def unknown_size(self, place: Place, name: str) -> None:
        """Note a VM size that is not in the table."""
        names = [size.name for size in known_sizes()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        message = f"unknown size; this version knows {', '.join(names)}, found: {name}"
        self.add(place, message, near[0] if near else "")

    def stop_if_any(self) -> None:
        """Stop when there is any reason.

        Raises:
            SpecError: With all of them.
        """
        if self._problems:
            raise wrong_run_file(self._path, self._problems)
