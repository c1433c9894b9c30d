"""Read a run file: all that is wrong with it at once, each with its line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from runs.errors import Problem, SpecError
from runs.spec.collect import beside
from runs.spec.complaints import complaints
from runs.spec.local_files import missing_files
from runs.spec.run_file import RunFile
from runs.spec.train import DEEPSPEED_CONFIGS
from runs.spec.yaml_reader import read_yaml

if TYPE_CHECKING:
    from runs.spec.yaml_reader import Document

TEMPLATES = Path(__file__).parents[2] / "templates"


@dataclass(frozen=True, slots=True)
class LoadedRunFile:
    """A run file that was read and found right.

    Attributes:
        spec: What it says.
        path: Where it is; relative paths in it are relative to its folder.
        text: Its text, byte for byte.
        sha256: SHA-256 of the text's bytes, in hex.
    """

    spec: RunFile
    path: Path
    text: str
    sha256: str

    def resolve(self, local: str) -> Path:
        """Give the absolute path of a local source or target of this run file."""
        return (self.path.absolute().parent / Path(local).expanduser()).resolve()

    @property
    def trainings(self) -> tuple[LoadedRunFile, ...]:
        """This run file as each of its stages sees it; without stages one, itself."""
        return tuple(replace(self, spec=spec) for spec in self.spec.trainings)

    def stage_target(self, stage: str) -> Path:
        """Give the folder here that the model of a stage before the last one comes to, where it does."""
        model = self.resolve(self.spec.collect.home or "model")
        return model.with_name(f"{model.name}-{stage}")

    def targets(self) -> dict[Path, str]:
        """Give every folder here that the run brings something to, with the key that says so."""
        spec = self.spec
        stages = spec.stages[:-1] if spec.collect.stages == "all" else ()
        more = {self.resolve(spec.after.target): "after.to"} if spec.after.has_results else {}
        if spec.collect.home is None:
            return more
        home = self.resolve(spec.collect.home)
        models = {self.stage_target(stage.name): "collect.to" for stage in stages}
        return {**more, **models, home.with_name(beside(home)): "collect.to", home: "collect.to"}

    def deepspeed_config(self) -> bytes:
        """Give the DeepSpeed config that `train.deepspeed` names: one of ours, or the user's file.

        Raises:
            SpecError: The user's file cannot be read.
        """
        named = self.spec.train.deepspeed
        ours = named in DEEPSPEED_CONFIGS
        file = TEMPLATES / "deepspeed" / f"{named}.json" if ours else self.resolve(named)
        try:
            return file.read_bytes()
        except OSError as error:
            problem = Problem("train.deepspeed", f"cannot be read: {file} ({error.strerror})")
            raise wrong_run_file(self.path, [problem]) from error


def load_run_file(path: Path) -> LoadedRunFile:
    """Read a run file and check everything that can be checked without a network.

    Args:
        path: The file.

    Raises:
        SpecError: It cannot be read, or is wrong; carries every problem.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(
            f"cannot read the run file: {path} ({error.strerror})",
            file=str(path),
            hint="`llamalift init FOLDER` writes one to start from",
        ) from error
    return _load(content, path, check_files=True)


def load_run_text(text: str, path: Path) -> LoadedRunFile:
    """Read a run file's text again, as the journal kept it; its local files may be gone by now.

    Args:
        text: What the file said.
        path: Where it was.

    Raises:
        SpecError: This version of llamalift refuses it.
    """
    return _load(text.encode(), path, check_files=False)


def _load(content: bytes, path: Path, *, check_files: bool) -> LoadedRunFile:
    document = read_yaml(content)
    problems = list(document.problems)
    if document.values is None and not problems:
        problems.append(Problem("", "empty; a run file has at least name, model and data"))
    if problems and document.values is None:
        raise wrong_run_file(path, problems)
    spec, found = _validate(document)
    problems += found
    if check_files:
        problems += missing_files(document, path.absolute().parent)
    if spec is None or problems:
        raise wrong_run_file(path, problems)
    return LoadedRunFile(spec, path, content.decode(), hashlib.sha256(content).hexdigest())


def _validate(document: Document) -> tuple[RunFile | None, list[Problem]]:
    try:
        # Strict JSON takes exactly what YAML can say: lists for tuples, but never text for numbers.
        return RunFile.model_validate_json(json.dumps(document.values)), []
    except ValidationError as error:
        return None, list(complaints(error.errors(), document))


def wrong_run_file(path: Path, problems: list[Problem]) -> SpecError:
    """Make the error that carries all problems of a run file, in the order of the file."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    ordered = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    return SpecError(
        f"{count} in the run file: {path}",
        ordered,
        file=str(path),
        hint="every key with its meaning: `llamalift schema`, or `llamalift init FOLDER` for a commented run file",
    )
