"""The job's steps that curate data before it is trained on, and where their files are on the machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote.layout import RunLayout
    from runs.spec.run_file import RunFile
    from runs.training_steps import Inputs

_STEP = "curate"


@dataclass(frozen=True, slots=True)
class Curation:
    """Where a curation has its files.

    Attributes:
        name: The step's name; with a stage's, where the stage has data of its own.
        rules: The rules, sent there before.
        output: What they leave; the report lies beside it.
        marker: What says that it succeeded, in the run's folder.
    """

    name: str
    rules: str
    output: str
    marker: str


def curation_of(training: RunFile, stage_data: Mapping[str, str], layout: RunLayout) -> Curation:
    """Give the curation of what a training trains on: that of the run's data, or of the stage's own."""
    stage = training.stage_name if training.stage_name in stage_data else ""
    suffix = stage and f"-{stage}"
    return Curation(
        name=f"{_STEP}{suffix}",
        rules=layout.path("job", f"curation{suffix}.json"),
        output=layout.path("inputs", f"curated{suffix}", "data.jsonl"),
        marker=f"markers/{_STEP}{suffix}.json",
    )


def trained_data(training: RunFile, inputs: Inputs, layout: RunLayout) -> str:
    """Give the file that a training reads: what its curation leaves, or the data as it came."""
    if training.data.rule_sets:
        return curation_of(training, inputs.stage_data, layout).output
    return inputs.stage_data.get(training.stage_name, inputs.data)


def curation_steps(training: RunFile, inputs: Inputs, layout: RunLayout) -> list[dict[str, Any]]:
    """Give the step that curates what a training trains on; none where nothing is to be curated."""
    if not training.data.rule_sets:
        return []
    curation = curation_of(training, inputs.stage_data, layout)
    words = {
        "run-dir": layout.run_folder,
        "input": inputs.stage_data.get(training.stage_name, inputs.data),
        "rules": curation.rules,
        "output": curation.output,
        "marker": layout.path(curation.marker),
    }
    argv = [inputs.python, "-m", "templates.curation.step"]
    argv += [word for name, value in words.items() for word in (f"--{name}", value)]
    return [{"name": curation.name, "argv": argv, "marker": curation.marker, "max_restarts": 1, "hang": None}]


def is_curation(step: str) -> bool:
    """Tell a curation from other steps by its name."""
    return step.partition("-")[0] == _STEP
