"""The body of a model card: what was trained on what, how, with which result, for how much. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from templates.after.scores import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CARD, CURVE = "README.md", "loss_curve.svg"
# Between these two lines is what the client completes once it knows what all of it has cost.
COST_BEGINS, COST_ENDS = "<!-- llamalift cost begins -->", "<!-- llamalift cost ends -->"
# Flags whose value is where something is on a machine that is gone.
_NO_FLAGS = frozenset({"data", "checkpoints", "name"})


@dataclass(frozen=True, slots=True)
class Stage:
    """One training as the card tells it.

    Attributes:
        name: The stage's name, or the run's.
        data: Where its data comes from.
        sha256: SHA-256 of the data file.
        prompt_format: How a row became text.
        flags: The trainer's flags.
        deepspeed: The DeepSpeed config, by its name.
        rows: Rows that were trained on, as far as the trainer told.
        tokens: Their tokens.
        steps: Optimizer steps.
        first_loss: The first loss in the log.
        last_loss: The last one.
        rules: What the data was filtered by, one line each.
    """

    name: str
    data: str
    sha256: str
    prompt_format: str
    flags: Mapping[str, Any]
    deepspeed: str
    rows: int | None = None
    tokens: int | None = None
    steps: int | None = None
    first_loss: float | None = None
    last_loss: float | None = None
    rules: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that a card tells.

    Attributes:
        run_id: The run.
        name: What the model is called.
        base: Where the base model comes from.
        stages: Each training.
        parameters: The model's parameters.
        machine: The machine in words.
        cost: What it has cost so far, in words.
        versions: Of the libraries that trained it.
        recipe: The parts of the run file that decide the model.
        prompt: A prompt that the finished model was asked.
        response: What it answered.
        has_curve: Whether there is a picture of the losses.
        scores: `evaluation.json`, if there is one.
        llamalift: The version that made it.
    """

    run_id: str
    name: str
    base: str
    stages: Sequence[Stage]
    parameters: int | None
    machine: str
    cost: str
    versions: Mapping[str, str]
    recipe: str
    prompt: str = ""
    response: str = ""
    has_curve: bool = False
    scores: Mapping[str, Any] = field(default_factory=dict)
    llamalift: str = ""


def body(facts: CardFacts) -> str:
    """Write the card without its metadata."""
    parts = [_head(facts), _data(facts), _training(facts)]
    parts += [_scores(facts.scores)] if facts.scores else []
    parts += [_asking(facts), _cost(facts.cost), _again(facts)]
    return "\n\n".join(parts) + "\n"


def cost_section(words: str) -> str:
    """What stands between the two marks."""
    return f"{COST_BEGINS}\n{words}\n{COST_ENDS}"


def _head(facts: CardFacts) -> str:
    size = "" if facts.parameters is None else f", {facts.parameters / 1e6:,.1f} million parameters"
    row = " → ".join(["the base model", *(stage.name for stage in facts.stages)])
    chain = f"\n\nTrained in {len(facts.stages)} stages, each from the one before: {row}." if facts.stages[1:] else ""
    return (
        f"# {facts.name}\n\nA fine-tune of `{facts.base}`{size}.{chain}\n\n"
        "No licence is stated here: it is for you to choose, within those of the base model and of the data "
        "(`license:` at the top)."
    )


def _data(facts: CardFacts) -> str:
    lines = ["## Data", "", "| stage | data | rows | tokens | SHA-256 | prompt format |", "|---|---|---|---|---|---|"]
    for stage in facts.stages:
        rows, tokens = (_number(value) for value in (stage.rows, stage.tokens))
        name = stage.data.rpartition("/")[2] if "://" not in stage.data else stage.data
        lines.append(
            f"| {stage.name} | `{name}` | {rows} | {tokens} | `{stage.sha256[:16]}…` | {stage.prompt_format} |"
        )
    for stage in facts.stages:
        if stage.rules:
            lines += ["", f"Filtered for {stage.name} by:", "", *(f"- {rule}" for rule in stage.rules)]
    lines += ["", *(f"`{stage.sha256}` is the data of {stage.name}, byte for byte." for stage in facts.stages)]
    return "\n".join(lines)


def _training(facts: CardFacts) -> str:
    lines = ["## Training", "", f"On {facts.machine}.", ""]
    lines += ["| stage | steps | first loss | last loss | DeepSpeed |", "|---|---|---|---|---|"]
    for stage in facts.stages:
        losses = ("" if loss is None else f"{loss:.3f}" for loss in (stage.first_loss, stage.last_loss))
        lines.append(f"| {stage.name} | {_number(stage.steps)} | {' | '.join(losses)} | {stage.deepspeed} |")
    if facts.has_curve:
        lines += ["", f"![Loss by optimizer step]({CURVE})"]
    names = list(dict.fromkeys(name for stage in facts.stages for name in stage.flags if name not in _NO_FLAGS))
    lines += ["", f"| flag | {' | '.join(stage.name for stage in facts.stages)} |"]
    lines += [f"|---|{'---|' * len(facts.stages)}"]
    for name in sorted(names):
        values = (_value(stage.flags[name]) if name in stage.flags else "" for stage in facts.stages)
        lines.append(f"| `{name}` | {' | '.join(values)} |")
    versions = ", ".join(f"{name} {version}" for name, version in sorted(facts.versions.items()))
    return "\n".join([*lines, "", f"Made by llamalift {facts.llamalift} (run `{facts.run_id}`); {versions}."])


def _scores(scores: Mapping[str, Any]) -> str:
    return f"## Scores\n\n{markdown(scores).rstrip()}"


def _asking(facts: CardFacts) -> str:
    text = "## How to ask it\n\nThe prompt format is in `prompt_format.json`; `llamalift infer` uses it by itself."
    if not facts.prompt:
        return text
    asked, answer = f"```text\n{facts.prompt}\n```", f"```text\n{facts.response or '(nothing)'}\n```"
    return f"{text} A prompt as the model was trained with:\n\n{asked}\n\nand its answer:\n\n{answer}"


def _cost(words: str) -> str:
    return f"## Cost\n\n{cost_section(words)}"


def _again(facts: CardFacts) -> str:
    return (
        "## How to make it again\n\nThe parts of the run file that decide the model; "
        f"`llamalift up run.yaml` runs it:\n\n```yaml\n{facts.recipe.rstrip()}\n```"
    )


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _value(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
