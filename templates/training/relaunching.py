"""One launch of the literal recipe, as the trainer goes through it: is there anything to gain, and what comes after.

Each launch leaves a marker of its own. The one whose checkpoint holds the last step makes the final model, and those
after it are passed over; the one with save_steps 1 looks whether that model is whole, and makes it again if not.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from templates.agent.manifest import check_manifest, checkpoint_folders
from templates.training.checkpoints import write_durably
from templates.training.finish import MARKER
from templates.training.relaunch import saved_steps

if TYPE_CHECKING:
    from pathlib import Path

    from templates.training.setup import Run


def marker_name(save_steps: int) -> str:
    """What a launch leaves in the folder of markers when it has ended well."""
    return f"train-{save_steps}.json"


def is_over(run: Run) -> bool:
    """Say, before anything is loaded, whether this launch has nothing to do; then its marker is there. Rank 0 alone."""
    save_steps, total_steps = run.asked.llamalift_relaunch, _known_total(run.folders.markers)
    if save_steps == 1:
        is_made = (run.folders.markers / MARKER).is_file()
        over = is_made and total_steps is not None and not check_manifest(run.folders.final)
    else:
        newest = _newest_step(run.folders.checkpoints)
        over = total_steps is not None and not saved_steps(save_steps, total_steps, newest)
    if over and total_steps is not None:
        end(run, total_steps)
    return over


def goes_on(run: Run, total_steps: int) -> bool:
    """Say whether a further launch is needed, because no checkpoint holds the last step."""
    if run.asked.llamalift_relaunch <= 1:
        return False
    return run.ranks.first(lambda: _newest_step(run.folders.checkpoints) < total_steps)


def end(run: Run, total_steps: int) -> None:
    """Leave the launch's marker, where this is one."""
    save_steps = run.asked.llamalift_relaunch
    if save_steps and run.ranks.is_first:
        words = {"finished_at": time.time(), "total_steps": total_steps}
        run.folders.markers.mkdir(exist_ok=True)
        write_durably(run.folders.markers / marker_name(save_steps), json.dumps(words))
        newest = _newest_step(run.folders.checkpoints)
        run.metrics.note(f"save_steps {save_steps} is done: the newest checkpoint holds step {newest} of {total_steps}")


def _known_total(markers: Path) -> int | None:
    """The steps of the whole run, as an earlier launch counted them."""
    found = next(iter(sorted(markers.glob("train-*.json"))), None)
    return None if found is None else int(json.loads(found.read_text())["total_steps"])


def _newest_step(checkpoints: Path) -> int:
    """Step of the newest checkpoint whose manifest and sizes agree; what a launch starts from is read whole."""
    return next((step for step, path in checkpoint_folders(checkpoints) if not check_manifest(path, contents=False)), 0)
