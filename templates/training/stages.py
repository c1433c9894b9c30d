"""The stages of a run on disk: which of them are done, and where their models are. Standard library only.

A stage trains in the run's own `checkpoints` and leaves its model in `final`. When that was verified, a record of it is
written (`markers/model-STAGE.json`), the model of every stage but the last moves to `stages/STAGE`, and the stage's
checkpoints are removed: they would only take room beside those of the next one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import ManifestError, read_manifest
from templates.training.checkpoints import fsync_folder, write_durably
from templates.training.start import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FINAL, STAGES = "final", "stages"
# Written when the model is whole already (templates/after/finish.py).
_CARD = frozenset({"README.md", "loss_curve.svg"})


def done_model(run_dir: Path, stage: str) -> Path | None:
    """The model of a stage that is done; None while it is not, or when the model is not whole any more.

    Args:
        run_dir: The run's folder.
        stage: The stage's name.
    """
    record = _record(run_dir, stage)
    if record is None:
        return None
    folders = (run_dir / STAGES / stage, run_dir / FINAL)
    return next((folder for folder in folders if _weights(folder) == record["weights"]), None)


def keep(run_dir: Path, stage: str, checkpoints: Sequence[Path], *, is_last: bool) -> Path:
    """Keep the verified model of a stage, whenever the call before was cut short; give its folder.

    Args:
        run_dir: The run's folder, with the stage's model in `final`.
        stage: The stage's name.
        checkpoints: Folders with the stage's checkpoints, which go.
        is_last: The model stays in `final`, and its checkpoints where they are.

    Raises:
        ManifestError: There is no whole model.
        OSError: The disk refused.
    """
    final, target = run_dir / FINAL, run_dir / STAGES / stage
    record = _record(run_dir, stage)
    if done_model(run_dir, stage) is None:
        read_manifest(final)
        record = {"weights": _weights(final), "is_over": False}
        _write(run_dir, stage, record)
    if record is None or record["is_over"]:
        # Another stage's checkpoints may be there by now.
        return done_model(run_dir, stage) or final
    if not is_last:
        if _weights(final) == record["weights"]:
            _move(final, target)
        for folder in checkpoints:
            _clear(folder)
    _write(run_dir, stage, {**record, "is_over": True})
    return final if is_last else target


def _move(final: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    # What an attempt that was cut short, and whose model was made again, has left.
    shutil.rmtree(target, ignore_errors=True)
    final.rename(target)
    fsync_folder(target.parent)
    fsync_folder(final.parent)


def _clear(checkpoints: Path) -> None:
    """Remove everything but other runs' checkpoints: those are somebody's work."""
    for entry in checkpoints.iterdir() if checkpoints.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            if not entry.name.startswith(FOREIGN):
                shutil.rmtree(entry)
        else:
            entry.unlink()


def _weights(folder: Path) -> str | None:
    """What a whole model's weights are called here; None where a file is missing, or not as large as it was.

    A model card may be on its way into the folder: it makes no other model of it.
    """
    try:
        files = read_manifest(folder)["files"]
        names = [name for name in files if name not in _CARD]
        if any((folder / name).stat().st_size != files[name]["size"] for name in names):
            return None
    except (ManifestError, OSError):
        return None
    weights = {name: entry["sha256"] for name, entry in files.items() if name.endswith(".safetensors")}
    return hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()


def _record(run_dir: Path, stage: str) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(_path(run_dir, stage).read_text())
    except (OSError, ValueError):
        return None
    return record


def _write(run_dir: Path, stage: str, record: dict[str, Any]) -> None:
    path = _path(run_dir, stage)
    path.parent.mkdir(exist_ok=True)
    write_durably(path, json.dumps(record))


def _path(run_dir: Path, stage: str) -> Path:
    return run_dir / "markers" / f"model-{stage}.json"
