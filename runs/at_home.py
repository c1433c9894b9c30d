"""Asking and scoring models on this computer: the machine's own programs, in a training environment here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from runs.errors import ProgramFailedError, SpecError
from runs.local_environment import local_python
from runs.state_folder import StateFolder
from templates.zipapps import trainer_zipapp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from runs.spec.after import Evaluate, Infer

_Asked = TypeVar("_Asked", bound="BaseModel")
_ERROR = "error: "


def asked_as(kind: type[_Asked], values: Mapping[str, object]) -> _Asked:
    """Make what is asked of options, by the rules of the run file.

    Raises:
        SpecError: A value is out of its bounds.
    """
    from pydantic import ValidationError

    try:
        return kind.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise SpecError(f"--{name}: {first['msg'].lower()}: {first['input']}") from error


def infer(
    model: Path, questions: Path, output: Path, asked: Infer, *, python: Path | None, say: Callable[[str], None]
) -> None:
    """Have a model in a local folder answer a file of questions; what an earlier call answered stays.

    Args:
        model: The model's folder.
        questions: Rows of `idx` and `Instruction`.
        output: The file of answers; in `NAME.part` until it is whole.
        asked: How.
        python: A Python with torch and transformers; None takes, or makes, the training environment.
        say: Told what happens.

    Raises:
        SpecError: A file or folder is not there.
        ProgramFailedError: It could not be done.
    """
    from runs.after_job import infer_flags

    _refuse_no_model(model)
    if not questions.is_file():
        raise SpecError(f"no such file of questions: {questions}")
    words = [str(model.absolute()), str(questions.absolute()), "--output", str(output.absolute())]
    _run("templates.after.infer", [*words, *infer_flags(asked)], python, say)


def evaluate(
    models: Mapping[str, Path], output: Path, asked: Evaluate, *, python: Path | None, say: Callable[[str], None]
) -> str:
    """Score models in local folders; what an earlier call scored stays. Gives the table.

    Args:
        models: Folders by the names that the table has; the others are set beside the first.
        output: Folder for the table and all scores.
        asked: On what.
        python: A Python with torch, transformers and lm-eval; None takes, or makes, the training environment.
        say: Told what happens.

    Raises:
        SpecError: A folder is not there.
        ProgramFailedError: Something could not be scored; what could be is in the table.
    """
    from runs.after_job import evaluate_flags

    for model in models.values():
        _refuse_no_model(model)
    folder = "" if asked.task_folder is None else str(Path(asked.task_folder).absolute())
    if folder and not Path(folder).is_dir():
        raise SpecError(f"no such folder of tasks: {folder}")
    named = [f"{name}={model.absolute()}" for name, model in models.items()]
    words = ["--models", *named, "--output", str(output.absolute()), *evaluate_flags(asked, folder)]
    _run("templates.after.evaluate", words, python, say)
    return (output / "evaluation.md").read_text(encoding="utf-8")


def _refuse_no_model(model: Path) -> None:
    if not (model / "config.json").is_file():
        raise SpecError(
            f"expected a model's folder with a config.json, found: {model}",
            hint="a run's model is where its `collect.to` says; `llamalift collect RUN` brings it home again",
        )


def _run(module: str, words: Sequence[str], python: Path | None, say: Callable[[str], None]) -> None:
    program = python or local_python(StateFolder.of_user(), say)
    with tempfile.TemporaryDirectory(prefix="llamalift-") as folder:
        archive = Path(folder) / "trainer.pyz"
        archive.write_bytes(trainer_zipapp())
        environment = {**os.environ, "PYTHONPATH": str(archive), "TOKENIZERS_PARALLELISM": "false"}
        environment.pop("LLAMALIFT_RUN_DIR", None)
        with (Path(folder) / "said").open("w+", encoding="utf-8", errors="replace") as said:
            code = _followed([str(program), "-m", module, *words], environment, say, said)
            said.seek(0)
            lines = [line.strip() for line in said if line.strip()] or ["it said nothing"]
    if code:
        told = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)] or lines[-1:]
        raise ProgramFailedError(
            f"{module.rpartition('.')[2]} ended without a result: {'; '.join(told)}",
            hint="what is done is kept: the same command goes on from there",
        )


def _followed(argv: list[str], environment: Mapping[str, str], say: Callable[[str], None], said: IO[str]) -> int:
    """Run a program and pass on the lines that are for the user; what its libraries say goes to `said`."""
    try:
        process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
        )
    except OSError as error:
        raise ProgramFailedError(f"this Python cannot be started: {argv[0]} ({error.strerror})") from error
    with process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            for line in process.stdout:
                say(line.rstrip())
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            raise
    return process.returncode
