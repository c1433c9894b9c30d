"""Models are scored on tasks of lm-evaluation-harness: `python -m templates.after.evaluate --models NAME=FOLDER …`.

Each score is kept when it is there, so a call that was killed goes on with the next one. A task that cannot be scored
(its data cannot be fetched, say) leaves the others alone and is told at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.after.infer import run_folder
from templates.after.scores import Score, Scores, document, markdown
from templates.after.suites import USUAL_METRICS, Task, tasks_of
from templates.training.checkpoints import write_durably
from templates.training.errors import DataError
from templates.training.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

TABLE, FIGURES, PARTS = "evaluation.md", "evaluation.json", "evaluation"
# For the standard errors of figures that are no means; those of means need none.
_BOOTSTRAPS = 1000


def main(argv: list[str]) -> int:
    """Score; exit code 1 with `error: …` when something could not be scored, after all that could be."""
    asked = _parser().parse_args(argv)
    # Bars that are redrawn fill a log.
    os.environ.setdefault("TQDM_DISABLE", "1")
    run_dir = run_folder()
    metrics = Metrics(run_dir and run_dir / "metrics.jsonl")
    metrics.phase("scoring")
    try:
        failures = Scoring(asked, metrics).run()
    except (DataError, OSError) as error:
        failures = [str(error)]
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)  # noqa: T201 - the log, or the terminal
    return 1 if failures else 0


class Scoring:
    """One call: models times tasks."""

    def __init__(self, asked: argparse.Namespace, metrics: Metrics) -> None:
        self._asked, self._metrics = asked, metrics
        self._output = asked.output.resolve()
        self._models = {name: Path(folder).resolve() for name, _, folder in (m.partition("=") for m in asked.models)}
        self._tasks = tasks_of(asked.tasks, asked.shots)
        self._scores = Scores(self._output / PARTS)
        self._failures: list[str] = []

    def run(self) -> list[str]:
        """Score what is not scored yet and write the table; give what could not be scored.

        Raises:
            DataError: A model's folder is none, or the tasks are unknown.
            OSError: The disk refused.
        """
        for name, folder in self._models.items():
            if not (folder / "config.json").is_file():
                raise DataError(f"expected a model's folder with a config.json, found: {folder} ({name})")
        if self._asked.task_folder is not None:
            self._asked.task_folder = self._asked.task_folder.resolve()
            # A task names its data files relative to itself.
            os.chdir(self._asked.task_folder)
        for name, folder in self._models.items():
            self._score(name, folder)
            self._write()
        return self._failures

    def _score(self, name: str, folder: Path) -> None:
        missing = [task for task in self._tasks if not self._is_there(name, folder, task)]
        if not missing:
            return
        manager = self._manager(missing)
        model = _load(folder, self._asked.batch_size)
        for task in missing:
            _say(f"{name}: {task.name}")
            try:
                found = _evaluate(model, task, manager, self._asked.limit)
                self._scores.write(_read(found, name, task, self._made_by(folder, task)))
            except Exception as error:  # noqa: BLE001 - a library's, of any kind: the other tasks go on
                self._failures.append(f"{task.name} could not be scored for {name}: {_words(error)}")
            self._metrics.event("scores", model=name, task=task.name)

    def _is_there(self, name: str, folder: Path, task: Task) -> bool:
        score = self._scores.read(name, task.name)
        return score is not None and score.made_by == self._made_by(folder, task)

    def _manager(self, tasks: Sequence[Task]) -> TaskManager:
        from lm_eval.tasks import TaskManager

        manager = TaskManager(include_path=self._asked.task_folder and str(self._asked.task_folder))
        unknown = [task.name for task in tasks if task.name not in manager.all_tasks]
        if unknown:
            raise DataError(f"lm-evaluation-harness has no task of this name: {', '.join(unknown)}")
        return manager

    def _made_by(self, folder: Path, task: Task) -> str:
        """All that decides a score, the model by its manifest, or by its files' names and sizes."""
        manifest = folder / "MANIFEST.json"
        files = sorted((path.name, path.stat().st_size) for path in folder.iterdir() if path.is_file())
        # A model card that is added later makes no other model of it.
        weights = [entry for entry in files if entry[0].endswith((".safetensors", ".bin"))]
        told = _weights(json.loads(manifest.read_text())) if manifest.is_file() else weights
        decides = [told, task.name, task.shots, self._asked.limit, version("lm_eval"), _tasks_of_user(self._asked)]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def _write(self) -> None:
        """The figures and the table, of all that is there so far."""
        found = [
            score
            for name, folder in self._models.items()
            for task in self._tasks
            if self._is_there(name, folder, task) and (score := self._scores.read(name, task.name)) is not None
        ]
        facts = {"limit": self._asked.limit, "versions": {"lm_eval": version("lm_eval")}}
        values = document(sorted(found, key=self._place), list(self._models), facts)
        write_durably(self._output / FIGURES, json.dumps(values, indent=1))
        write_durably(self._output / TABLE, markdown(values))

    def _place(self, score: Score) -> int:
        return [task.name for task in self._tasks].index(score.task)


def _weights(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in manifest["files"].items() if name.endswith(".safetensors")}


def _tasks_of_user(asked: argparse.Namespace) -> list[list[str]]:
    if asked.task_folder is None:
        return []
    files = sorted(path for path in asked.task_folder.rglob("*") if path.is_file())
    return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]


def _load(folder: Path, batch_size: int) -> LM:
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer

    from templates.after.engines import load_model

    return HFLM(pretrained=load_model(folder), tokenizer=AutoTokenizer.from_pretrained(folder), batch_size=batch_size)


def _evaluate(model: LM, task: Task, manager: TaskManager, limit: int | None) -> Mapping[str, Any]:
    """Score one task; a batch that does not fit into the GPU's memory is halved."""
    import torch
    from lm_eval import simple_evaluate

    while True:
        try:
            found = simple_evaluate(
                model,
                tasks=[task.name],
                num_fewshot=task.shots,
                limit=limit,
                task_manager=manager,
                bootstrap_iters=_BOOTSTRAPS,
            )
        except torch.cuda.OutOfMemoryError:
            size = int(model.batch_size)
            if size == 1:
                raise
            model.batch_size_per_gpu = size // 2
            torch.cuda.empty_cache()
        else:
            assert found is not None  # noqa: S101 - only other ranks than the first get nothing
            return found


def _read(found: Mapping[str, Any], model: str, task: Task, made_by: str) -> Score:
    results = found["results"].get(task.name)
    if results is None:
        parts = ", ".join(sorted(found["results"]))
        raise DataError(f"it has no figure of its own; take its tasks: {parts}")
    metric = task.metric if task.metric in results else _usual(results)
    name, _, chosen = metric.partition(",")
    each = {
        f"{part}/{sample['doc_id']}": float(sample[name])
        for part, samples in found["samples"].items()
        for sample in samples
        if sample.get("filter", chosen) == chosen and isinstance(sample.get(name), int | float)
    }
    shots = {int(value) for value in found["n-shot"].values()}
    stderr = results.get(f"{name}_stderr,{chosen}")
    return Score(
        model=model,
        task=task.name,
        metric=name,
        value=float(results[metric]),
        stderr=float(stderr) if isinstance(stderr, int | float) else None,
        shots=shots.pop() if len(shots) == 1 else None,
        questions=len({f"{part}/{one['doc_id']}" for part, samples in found["samples"].items() for one in samples}),
        made_by=made_by,
        each=each,
    )


def _usual(results: Mapping[str, Any]) -> str:
    """The first of the usual figures that a task has, else its first figure of all."""
    figures = [key for key, value in results.items() if "," in key and "_stderr" not in key and value != "N/A"]
    known = (key for usual in USUAL_METRICS for key in figures if key.split(",")[0] == usual)
    return next(known, figures[0])


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", required=True, help="NAME=FOLDER; the others are set beside the first.")
    parser.add_argument("--tasks", nargs="+", required=True, help="Tasks and boards.")
    parser.add_argument("--output", type=Path, required=True, help="Folder for the table and all scores.")
    parser.add_argument("--task-folder", type=Path, help="Tasks of your own.")
    parser.add_argument("--shots", type=int)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch-size", type=int, default=8)
    return parser


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the log, or the terminal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
