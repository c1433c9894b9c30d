"""Experiment trackers (Weights & Biases, TensorBoard): linked to the run, and what they wrote brought home.

Everything that they write lies in `<run folder>/tracking/`; what was set in the environment goes before what is here.
Each attempt of a run goes on in the same W&B run: its id is the run's, and `resume` is allowed. Without a key W&B
writes offline: one folder for each attempt, with the same id, so that `wandb sync --append` makes one run of them.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "tracking"
PROJECT = "llamalift"
# Beside a model: the Hub shows what lies in `runs`.
TENSORBOARD_HOME, WANDB_HOME, METRICS_HOME = "runs", "wandb", "metrics.jsonl"
_QUERY = re.compile(r"\?\S*")
_USER = re.compile(r"(?<=://)[^/@\s]*@")
# W&B takes at most 128 characters of these.
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")


def environment(run_folder: Path, stage: str, *, offline: bool) -> dict[str, str]:
    """What links a tracker to the run.

    Args:
        run_folder: The run's folder, named like the run.
        stage: The stage of `train` that runs; empty for the only one.
        offline: W&B writes to the disk alone, where nothing can be resumed.
    """
    run_id = _NOT_IN_AN_ID.sub("-", run_folder.name)[:90]
    name = f"{run_id}-{stage}" if stage else run_id
    root = run_folder / FOLDER
    return {
        "WANDB_PROJECT": PROJECT,
        "WANDB_RUN_ID": name,
        "WANDB_NAME": name,
        "WANDB_RUN_GROUP": run_id,
        "WANDB_DIR": str(root),
        # What is printed is in the run's log, with secrets starred; W&B would take it from before that.
        "WANDB_CONSOLE": "off",
        **({} if offline else {"WANDB_RESUME": "allow"}),
        "TENSORBOARD_LOGGING_DIR": str(root / "tensorboard" / stage) if stage else str(root / "tensorboard"),
    }


def run_facts(run_folder: Path) -> dict[str, Any]:
    """What the run file says, for a tracker's configuration; without what an address may carry for its holder only.

    A run file names secrets and has none; a signed address has one in its query.
    """
    import yaml

    file = run_folder / "run.yaml"
    try:
        facts = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError, yaml.YAMLError):
        facts = {}
    return {"run": run_folder.name, "run_file": _bare(facts)}


def pack(run_folder: Path, model: Path) -> None:
    """Copy metrics, TensorBoard's files and W&B's offline ones beside the model, with which they come home."""
    sources = {METRICS_HOME: run_folder / "metrics.jsonl", TENSORBOARD_HOME: run_folder / FOLDER / "tensorboard"}
    for name, source in sources.items():
        if source.is_dir():
            shutil.copytree(source, model / name)
        elif source.is_file():
            shutil.copyfile(source, model / name)
    for offline in sorted((run_folder / FOLDER / "wandb").glob("offline-run-*")):
        shutil.copytree(offline, model / WANDB_HOME / offline.name, ignore=shutil.ignore_patterns("*.log", "tmp"))


def _bare(value: Any) -> Any:  # noqa: ANN401 - any value of a YAML file
    if isinstance(value, dict):
        return {str(key): _bare(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_bare(part) for part in value]
    if isinstance(value, str):
        return _USER.sub("", _QUERY.sub("", value) if "://" in value else value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
