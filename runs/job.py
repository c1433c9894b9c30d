"""The job that the agent runs: train, then load the result back. Pure functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remote.layout import RunLayout
    from runs.spec.run_file import RunFile

# A crash that comes back three times is no accident.
_MAX_RESTARTS = 3


def render_job(
    spec: RunFile, layout: RunLayout, *, python: str, model: str, data: str, processes: int, secrets_file: str | None
) -> Mapping[str, Any]:
    """`job.json`: the steps in order, each with its argv and the marker that alone proves its success."""
    environment = {"PYTHONPATH": layout.trainer_zipapp, "HF_HOME": layout.hub_cache, "TOKENIZERS_PARALLELISM": "false"}
    launch = [python, "-m", "templates.training.launch", "--standalone", "--nproc_per_node", str(processes)]
    train = [*launch, "-m", "templates.training.train", *trainer_flags(spec, layout, model=model, data=data)]
    verify = [python, "-m", "templates.training.verify_model", "--run-dir", layout.run_folder]
    return {
        "schema": 1,
        "steps": [
            {
                "name": "train", "argv": train, "env": environment, "cwd": layout.run_folder,
                "marker": "markers/train.json", "max_restarts": _MAX_RESTARTS,
            },
            {
                "name": "verify", "argv": verify, "env": environment, "cwd": layout.run_folder,
                "marker": "markers/verify.json", "max_restarts": 1,
            },
        ],
        "secrets_file": secrets_file,
    }  # fmt: skip


def trainer_flags(spec: RunFile, layout: RunLayout, *, model: str, data: str) -> list[str]:
    """The trainer's command line: the run file's own flags, and where things are on this machine."""
    shrink = spec.checkpoints.shrink
    schedule = {
        "first_interval": spec.first_save_interval, "last_interval": shrink.last, "factor": shrink.factor,
        "max_share": spec.checkpoints.max_share,
    }  # fmt: skip
    ours = {
        "model_name_or_path": model,
        "data_path": data,
        "output_dir": layout.checkpoints,
        "prompt_format": spec.data.prompt_format,
        "deepspeed": layout.path("job", "deepspeed.json"),
        "llamalift_schedule": json.dumps(schedule),
        "llamalift_keep": str(spec.kept_checkpoints),
    }
    return [*(word for name, value in ours.items() for word in (f"--{name}", value)), *spec.train.argv()]
