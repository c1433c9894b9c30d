"""The last steps of a job: the finished models are asked and scored, and get their model card. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remote.layout import RunLayout
    from runs.spec.after import Evaluate, Infer
    from runs.spec.run_file import RunFile
    from runs.training_steps import Inputs

BASE = "base"
CARD_FACTS = "card.json"
# After that many failures in a row an answer or a score is given up: the model is none the worse for it.
_TRIES = 3


def after_steps(spec: RunFile, layout: RunLayout, inputs: Inputs, models: Sequence[str]) -> list[dict[str, Any]]:
    """Give the steps; none of them can fail the job, whose model is good already.

    Args:
        spec: What the run file asks for.
        layout: Where the run's files are on the machine.
        inputs: Where what it reads is.
        models: The model of each stage, in their order.
    """
    named = dict(zip(stage_names(spec), models, strict=True))
    steps = [*_infer(spec.after.infer, layout, inputs, named), *_evaluate(spec.after.evaluate, layout, inputs, named)]
    if spec.after.card or spec.after.has_results:
        steps.append(_card(layout, inputs))
    return steps


def stage_names(spec: RunFile) -> list[str]:
    """What each model is called in answers and scores; that of a run without stages by the run's name."""
    return [stage.name for stage in spec.stages] or [spec.name]


def infer_flags(asked: Infer) -> list[str]:
    """How the program for answers is told what the run file says."""
    flags = ["--max-new-tokens", str(asked.max_new_tokens), "--batch-size", str(asked.batch_size)]
    flags += ["--engine", asked.engine]
    if asked.sample:
        flags += ["--sample", "--temperature", str(asked.temperature), "--top-p", str(asked.top_p)]
        flags += ["--top-k", str(asked.top_k), "--seed", str(asked.seed)]
    return flags


def evaluate_flags(asked: Evaluate, task_folder: str) -> list[str]:
    """How the program for scores is told what the run file says."""
    flags = ["--tasks", *asked.tasks, "--batch-size", str(asked.batch_size)]
    flags += ["--limit", str(asked.limit)] if asked.limit is not None else []
    flags += ["--shots", str(asked.shots)] if asked.shots is not None else []
    return flags + (["--task-folder", task_folder] if task_folder else [])


def _infer(asked: Infer, layout: RunLayout, inputs: Inputs, named: dict[str, str]) -> list[dict[str, Any]]:
    if not inputs.questions:
        return []
    steps, last = [], list(named)[-1]
    for name, model in named.items() if asked.models == "all" else [(last, named[last])]:
        suffix = "" if name == last else f"-{name}"
        program = [inputs.python, "-m", "templates.after.infer", model, inputs.questions]
        program += ["--output", f"{layout.results}/answers{suffix}.jsonl", *infer_flags(asked)]
        steps.append(_soft(f"infer{suffix}", program, inputs))
    return steps


def _evaluate(asked: Evaluate, layout: RunLayout, inputs: Inputs, named: dict[str, str]) -> list[dict[str, Any]]:
    if not asked.tasks:
        return []
    scored = dict(list(named.items())[-1:]) if asked.models == "last" else named
    models = ({BASE: inputs.model} if asked.base else {}) | scored
    program = [inputs.python, "-m", "templates.after.evaluate", "--output", layout.results]
    program += ["--models", *(f"{name}={folder}" for name, folder in models.items())]
    return [_soft("evaluate", [*program, *evaluate_flags(asked, inputs.task_folder)], inputs)]


def _card(layout: RunLayout, inputs: Inputs) -> dict[str, Any]:
    program = [inputs.python, "-m", "templates.after.finish", "--run-dir", layout.run_folder]
    return _soft("card", [*program, "--facts", layout.path("job", CARD_FACTS)], inputs)


def _soft(name: str, program: list[str], inputs: Inputs) -> dict[str, Any]:
    marker = f"markers/{name}.json"
    guard = [inputs.python, "-m", "templates.after.soft", "--name", name, "--marker", marker, "--tries", str(_TRIES)]
    return {"name": name, "argv": [*guard, "--", *program], "marker": marker, "max_restarts": _TRIES, "hang": None}
