"""What a run promises beyond a model at home, as the machine's programs are told it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remote.layout import RunLayout
    from runs.spec.collect import Collect
    from runs.spec.run_file import RunFile


def blob_place(spec: RunFile, run_id: str) -> str | None:
    """Where in blob storage the run's files go; None when they do not."""
    return f"{spec.collect.blob}/{run_id}" if spec.collect.blob else None


def output_flags(collect: Collect) -> list[str]:
    """What is promised beside the model, for `templates.training.outputs` and `deliver`."""
    asked = collect.checkpoints
    steps = asked if isinstance(asked, str) else ",".join(map(str, asked))
    logs, metrics = ["--logs"] * collect.logs, ["--metrics"] * collect.metrics
    return ["--checkpoints", steps, *logs, *metrics]


def promised(spec: RunFile) -> list[str]:
    """The words that must be in `control/` before the machine may delete everything: one for each destination."""
    home, blob = spec.collect.home is not None, spec.collect.blob is not None
    return ["collected"] * home + ["delivered"] * blob


def further_folders(spec: RunFile) -> list[str]:
    """Folders with manifests that are promised beside the model, relative to the run's folder."""
    stages = [f"stages/{stage.name}" for stage in spec.stages[:-1]] if spec.collect.stages == "all" else []
    return stages + ["after/results"] * spec.after.has_results


def deliver_flags(spec: RunFile) -> list[str]:
    """What `templates.training.deliver` is told beside where to."""
    folders = further_folders(spec)
    return [*output_flags(spec.collect), *(["--also", *folders] if folders else [])]


def deliver_steps(spec: RunFile, layout: RunLayout, python: str) -> list[dict[str, Any]]:
    """The job's last step, by which the machine itself brings everything to blob storage; none without any."""
    place = blob_place(spec, layout.run_id)
    if place is None:
        return []
    where = ["--run-dir", layout.run_folder, "--to", place]
    argv = [python, "-m", "templates.training.deliver", *where, *deliver_flags(spec)]
    return [{"name": "deliver", "argv": argv, "marker": "markers/deliver.json", "max_restarts": 3, "hang": None}]
