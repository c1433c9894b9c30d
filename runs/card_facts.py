"""What the client knows of a model and its card tells; the machine adds what it has measured. Pure but for versions."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from runs.after_job import stage_names
from runs.plan.sizes import find_size

if TYPE_CHECKING:
    from remote.layout import RunLayout
    from runs.facts import Decided
    from runs.spec.run_file import RunFile
    from runs.training_steps import Inputs

# What decides the model; the rest is about machines, money and places, and nobody else's business.
_RECIPE = {"name", "model", "data", "training", "checkpoints"}


def card_facts(spec: RunFile, layout: RunLayout, inputs: Inputs, decided: Decided) -> bytes:
    """`job/card.json`.

    Args:
        spec: What the run file asks for.
        layout: Where the run's files are on the machine.
        inputs: Where what the job reads is.
        decided: The machine.
    """
    size = find_size(decided.size)
    return json.dumps(
        {
            "card": spec.after.card,
            "run_id": layout.run_id,
            "name": spec.name,
            "base": spec.model.source,
            "stages": [
                _stage(training, name, inputs) for training, name in zip(spec.trainings, stage_names(spec), strict=True)
            ],
            "machine": f"{size.words if size else decided.size} ({decided.size})",
            "prices": f"${decided.machine_dollars_per_hour:.2f} an hour for the machine, {decided.price_basis}",
            "recipe": _recipe(spec),
            "llamalift": version("llamalift"),
        },
        indent=1,
    ).encode()


def _stage(training: RunFile, name: str, inputs: Inputs) -> dict[str, Any]:
    return {
        "name": name,
        "data": training.data.source,
        "data_file": inputs.stage_data.get(training.stage_name, inputs.data),
        "prompt_format": training.data.prompt_format,
        "flags": training.train.flags(),
        "deepspeed": training.train.deepspeed,
    }


def _recipe(spec: RunFile) -> str:
    import yaml

    values = spec.model_dump(mode="json", include=_RECIPE, exclude_unset=True)
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
