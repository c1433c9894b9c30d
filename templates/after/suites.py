"""Which tasks a board has, with how many examples each, and the figure that the board shows. Standard library only.

Sources: the Open LLM Leaderboard's first version (Hugging Face, 2023 to June 2024) took ARC-Challenge with 25 examples,
HellaSwag with 10, MMLU with 5, TruthfulQA (mc2) with none, Winogrande with 5 and GSM8K with 5. Its second version is
lm-evaluation-harness's own group `leaderboard`, whose tasks say themselves how many examples they take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Task:
    """One task of lm-evaluation-harness.

    Attributes:
        name: Its name there.
        shots: Examples before each question; None as the task says.
        metric: The figure that counts, with its filter; empty for the first that the task has of `USUAL_METRICS`.
    """

    name: str
    shots: int | None = None
    metric: str = ""


SUITES = {
    "open-llm-leaderboard": (
        Task("arc_challenge", 25, "acc_norm,none"),
        Task("hellaswag", 10, "acc_norm,none"),
        Task("mmlu", 5, "acc,none"),
        Task("truthfulqa_mc2", 0, "acc,none"),
        Task("winogrande", 5, "acc,none"),
        Task("gsm8k", 5, "exact_match,strict-match"),
    ),
    "leaderboard": (
        Task("leaderboard_ifeval", None, "inst_level_strict_acc,none"),
        Task("leaderboard_bbh", None, "acc_norm,none"),
        Task("leaderboard_math_hard", None, "exact_match,none"),
        Task("leaderboard_gpqa", None, "acc_norm,none"),
        Task("leaderboard_musr", None, "acc_norm,none"),
        Task("leaderboard_mmlu_pro", None, "acc,none"),
    ),
}
USUAL_METRICS = ("acc_norm", "exact_match", "acc", "f1", "bleu", "rouge1", "word_perplexity", "perplexity")


def tasks_of(names: Iterable[str], shots: int | None) -> list[Task]:
    """Give the tasks that names stand for, each once, in their order.

    Args:
        names: Tasks and boards.
        shots: Examples before each question, over what a board says.
    """
    found = {task.name: task for name in names for task in _named(name)}
    return [Task(task.name, task.shots if shots is None else shots, task.metric) for task in found.values()]


def _named(name: str) -> Iterator[Task]:
    yield from SUITES.get(name, (Task(name),))
