"""Section `after`: what the finished model is asked and scored on, on the machine, before it comes home."""

from typing import Annotated, Literal

from pydantic import Field

from runs.spec import patterns
from runs.spec.section import Section

LocalPath = Annotated[str, Field(min_length=1, max_length=1024, pattern=patterns.LOCAL_PATH)]
TaskName = Annotated[str, Field(pattern=patterns.TASK_NAME)]


class Infer(Section):
    """Questions that the model answers after training, in the recipe's format. See also `llamalift infer`."""

    questions: LocalPath | None = Field(
        default=None,
        alias="input",
        description="A local .jsonl file of rows with idx and Instruction; null: nothing is asked.",
    )
    models: Literal["last", "all"] = Field(
        default="last", alias="of", description="last: the finished model answers; all: each stage's model does."
    )
    max_new_tokens: int = Field(default=512, ge=1, le=131_072, description="Longest answer, in tokens.")
    batch_size: int = Field(default=8, ge=1, le=4096, description="Questions at once; halved where memory runs out.")
    sample: bool = Field(default=False, description="Draw the words by chance; false: the likeliest ones (greedy).")
    temperature: float = Field(default=1.0, gt=0, le=10, description="With sample: under 1 is bolder, over 1 wilder.")
    top_p: float = Field(default=0.9, gt=0, le=1, description="With sample: only the likeliest words of this share.")
    top_k: int = Field(default=40, ge=1, le=1_000_000, description="With sample: only so many of the likeliest words.")
    seed: int = Field(default=42, ge=0, le=4_294_967_295, description="With sample: seed of the chance.")
    engine: Literal["auto", "vllm", "transformers"] = Field(
        default="auto", description="What generates. auto: vLLM where there is a GPU and it is installed."
    )


class Evaluate(Section):
    """Tasks of lm-evaluation-harness that the models are scored on. See also `llamalift evaluate`."""

    tasks: tuple[TaskName, ...] = Field(
        default=(),
        max_length=100,
        description="Tasks, or open-llm-leaderboard or leaderboard (all of the first or second board); []: no scores.",
    )
    task_folder: LocalPath | None = Field(
        default=None, description="A local folder of tasks of your own: YAML files, and the data beside them."
    )
    models: Literal["last", "all"] = Field(
        default="all", alias="of", description="all: each stage's model is scored; last: the finished one alone."
    )
    base: bool = Field(default=True, description="Score the base model as well, to compare with.")
    limit: int | None = Field(default=None, ge=1, description="Most questions of each task; null: all.")
    shots: int | None = Field(
        default=None, ge=0, le=100, description="Examples before each question; null: as the board or the task says."
    )
    batch_size: int = Field(default=8, ge=1, le=4096, description="Questions at once; halved where memory runs out.")


class After(Section):
    """What happens on the machine when the model is done: answers, scores, and a model card."""

    target: LocalPath = Field(default="./results", alias="to", description="Local folder for answers and scores.")
    infer: Infer = Field(default_factory=Infer, description="Questions that the model answers.")
    evaluate: Evaluate = Field(default_factory=Evaluate, description="Tasks that the models are scored on.")
    card: bool = Field(default=True, description="Write a model card: the README.md of the model.")

    @property
    def has_results(self) -> bool:
        """Whether there will be answers or scores."""
        return self.infer.questions is not None or bool(self.evaluate.tasks)
