"""What a run promises beyond a model at home, as the machine's programs are told it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def deliver_argv(spec: RunFile, layout: RunLayout, python: str) -> list[str] | None:
    """The job's last step, by which the machine itself brings everything to blob storage; None without any."""
    place = blob_place(spec, layout.run_id)
    if place is None:
        return None
    where = ["--run-dir", layout.run_folder, "--to", place]
    return [python, "-m", "templates.training.deliver", *where, *output_flags(spec.collect)]


def promised(spec: RunFile) -> list[str]:
    """The words that must be in `control/` before the machine may delete everything: one for each destination."""
    home, blob = spec.collect.home is not None, spec.collect.blob is not None
    return ["collected"] * home + ["delivered"] * blob


def deliver_step(spec: RunFile, layout: RunLayout, python: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The same as the agent reads it: no step, or one."""
    argv = deliver_argv(spec, layout, python)
    if argv is None:
        return []
    masked = [python, "-m", "templates.training.masked", ",".join(spec.secrets)] if spec.secrets else []
    return [
        {
            "name": "deliver", "argv": [*masked, *argv], "env": dict(environment), "cwd": layout.run_folder,
            "marker": "markers/deliver.json", "max_restarts": 3, "hang": None,
        }
    ]  # fmt: skip
