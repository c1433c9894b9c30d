"""How long answers and scores take after the training: rough on purpose, and on the long side, like estimate.py.

Formula: 2 operations per parameter and token read, at the same share of the hardware's peak as training; and for each
token written the time that a step of generation takes, once for a whole batch. Sources: the sizes of the tasks' test
sets as published. The lengths of their prompts and the 35 ms that a token of a 7B model takes on an A100 are estimates
of ours; nothing here was measured on a GPU.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates.after.suites import tasks_of

if TYPE_CHECKING:
    from runs.plan.sizes import VmSize
    from runs.plan.workload import Workload
    from runs.spec.after import Evaluate

_GPU_UTILISATION = 0.40
_CPU_OPERATIONS_PER_SECOND = 1e10
# One token of a whole batch: the weights are read once, at half of an A100's memory speed; and what Python takes.
_WEIGHT_BYTES_PER_SECOND = 1e12
_LEAST_TOKEN_SECONDS = 0.035
# Starting Python, importing torch, loading a model.
_START_SECONDS = 60.0
_BYTES_PER_PARAMETER = 2


@dataclass(frozen=True, slots=True)
class TaskSize:
    """What one task asks.

    Attributes:
        questions: How many.
        tokens_read: Tokens of one question with its examples, counted once for each choice that is read in full.
        tokens_written: Most tokens of an answer; 0 where choices are compared.
        parts: Of how many parts the task consists: a limit holds for each.
    """

    questions: int
    tokens_read: int
    tokens_written: int = 0
    parts: int = 1


_SIZES = {
    "arc_challenge": TaskSize(1_172, 4 * 950),
    "hellaswag": TaskSize(10_042, 4 * 1_000),
    "mmlu": TaskSize(14_042, 750, parts=57),
    "truthfulqa_mc2": TaskSize(817, 7 * 130),
    "winogrande": TaskSize(1_267, 2 * 190),
    "gsm8k": TaskSize(1_319, 950, 256),
    "leaderboard_ifeval": TaskSize(541, 60, 1_280),
    "leaderboard_bbh": TaskSize(6_511, 5 * 800, parts=24),
    "leaderboard_math_hard": TaskSize(1_324, 900, 1_024, parts=7),
    "leaderboard_gpqa": TaskSize(1_192, 4 * 300, parts=3),
    "leaderboard_musr": TaskSize(756, 4 * 1_200, parts=3),
    "leaderboard_mmlu_pro": TaskSize(12_032, 1_600),
}
_UNKNOWN = TaskSize(1_000, 4 * 300)


def after_seconds(work: Workload, size: VmSize) -> float:
    """Estimate what follows the training, in seconds; 0 where nothing does."""
    return _infer_seconds(work, size) + _evaluate_seconds(work, size)


def count_questions(work: Workload) -> int:
    """Count the questions that the finished model is asked."""
    asked = work.loaded.spec.after.infer.questions
    if asked is None:
        return 0
    try:
        return sum(1 for line in work.loaded.resolve(asked).read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError):
        # A run that goes on has sent them already.
        return 0


def count_models(work: Workload, *, every: bool, base: bool) -> int:
    """Count the models that are asked or scored."""
    return (max(1, len(work.stages)) if every else 1) + base


def after_words(work: Workload) -> str:
    """Say what follows the training; empty for nothing."""
    after = work.loaded.spec.after
    parts = []
    if questions := count_questions(work):
        models = count_models(work, every=after.infer.models == "all", base=False)
        parts.append(f"{questions:,} questions to {_models(models)}, at most {after.infer.max_new_tokens} tokens each")
    if after.evaluate.tasks:
        tasks = tasks_of(after.evaluate.tasks, after.evaluate.shots)
        models = count_models(work, every=after.evaluate.models == "all", base=after.evaluate.base)
        few = "" if after.evaluate.limit is None else f", at most {after.evaluate.limit:,} questions of each"
        parts.append(f"{len(tasks)} task{'s' if tasks[1:] else ''} for {_models(models)}{few}")
    return "; ".join(parts)


def _models(count: int) -> str:
    return f"{count} model{'s' if count > 1 else ''}"


def _infer_seconds(work: Workload, size: VmSize) -> float:
    asked, questions = work.loaded.spec.after.infer, count_questions(work)
    if not questions:
        return 0.0
    steps = math.ceil(questions / asked.batch_size) * asked.max_new_tokens
    seconds = _START_SECONDS + steps * _token_seconds(work, size, asked.batch_size)
    return seconds * count_models(work, every=asked.models == "all", base=False)


def _evaluate_seconds(work: Workload, size: VmSize) -> float:
    asked = work.loaded.spec.after.evaluate
    if not asked.tasks:
        return 0.0
    one = _START_SECONDS + sum(
        _task_seconds(work, size, _size_of(work, task.name), asked) for task in tasks_of(asked.tasks, asked.shots)
    )
    return one * count_models(work, every=asked.models == "all", base=asked.base)


def _task_seconds(work: Workload, size: VmSize, task: TaskSize, asked: Evaluate) -> float:
    most = task.questions if asked.limit is None else asked.limit * task.parts
    questions = min(task.questions, most)
    each = size.gpu.teraflops * 1e12 * _GPU_UTILISATION if size.gpu else _CPU_OPERATIONS_PER_SECOND
    reading = questions * task.tokens_read * 2 * work.model.parameters / each
    writing = math.ceil(questions / asked.batch_size) * task.tokens_written
    return reading + writing * _token_seconds(work, size, asked.batch_size)


def _size_of(work: Workload, task: str) -> TaskSize:
    """What a task asks; one of the user's own is as large as the data beside it."""
    if task in _SIZES:
        return _SIZES[task]
    folder = work.loaded.spec.after.evaluate.task_folder
    if folder is None:
        return _UNKNOWN
    file = work.loaded.resolve(folder) / f"{task}.jsonl"
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError):
        return _UNKNOWN
    return TaskSize(max(1, len(rows)), _UNKNOWN.tokens_read)


def _token_seconds(work: Workload, size: VmSize, batch: int) -> float:
    if size.gpu:
        weights = work.model.parameters * _BYTES_PER_PARAMETER
        return max(_LEAST_TOKEN_SECONDS, weights / _WEIGHT_BYTES_PER_SECOND)
    return _LEAST_TOKEN_SECONDS + 2 * work.model.parameters * batch / _CPU_OPERATIONS_PER_SECOND
