"""Where a start goes on: the newest complete checkpoint of this very run. Standard library only.

What cannot be trusted is set aside, told with its reason, and removed once a newer checkpoint is complete.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import NAME, check_manifest, read_manifest
from templates.training import leftovers
from templates.training.coherence import incoherences
from templates.training.errors import ForeignCheckpointError
from templates.training.identity import differences
from templates.training.prune import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from templates.training.metrics import Metrics

# Whole, but of another run: somebody's work, which nobody but they may remove.
FOREIGN = "foreign-"
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class Start:
    """What training goes on from.

    Attributes:
        folder: The checkpoint's folder, None for a beginning.
        step: Its step, 0 for a beginning.
        manifest: What its manifest says.
    """

    folder: Path | None = None
    step: int = 0
    manifest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Candidate:
    step: int
    folder: Path


def find_start(roots: Sequence[Path], run: Mapping[str, Any], metrics: Metrics) -> Start:
    """Find the newest complete checkpoint of the run, after clearing away what a crash left.

    Args:
        roots: Folders to look in; of two checkpoints of one step the one in the earlier root is taken.
        run: What makes the run this one (`identity.identify`); empty accepts any.
        metrics: Is told of everything that does not count.

    Raises:
        ForeignCheckpointError: There are complete checkpoints, and all of them are another run's.
        OSError: A root cannot be read or written.
    """
    for root in roots:
        root.mkdir(parents=True, exist_ok=True)
        leftovers.clear(root, metrics.note)
    found, foreign = Start(), list[tuple[_Candidate, str]]()
    for candidate in _candidates(roots):
        # Below the one that is taken nothing is read: names and sizes alone say whether it can ever be of use.
        problem = _problem(candidate, contents=found.folder is None)
        if problem:
            _put_away(candidate, SET_ASIDE, problem, metrics)
        elif found.folder is None:
            manifest = read_manifest(candidate.folder)
            if other := differences(run, manifest.get("run") or {}):
                foreign.append((candidate, other))
            else:
                found = Start(candidate.folder, candidate.step, manifest)
    if foreign and found.folder is None:
        raise ForeignCheckpointError(_refusal(*foreign[0]))
    for candidate, other in foreign:
        _put_away(candidate, FOREIGN, f"it is another run's: {other}", metrics)
    return found


def _refusal(candidate: _Candidate, difference: str) -> str:
    return (
        f"{candidate.folder.name} was trained with something else, and nothing else is there to go on from: "
        f"{difference}; undo the change to go on, begin a new run to train anew, or, to train anew here, move away "
        f"{candidate.folder.parent}"
    )


def _candidates(roots: Sequence[Path]) -> list[_Candidate]:
    """Everything that is called like a checkpoint, newest first."""
    named = ((_NAME.fullmatch(entry.name), entry) for root in roots for entry in root.iterdir())
    # Sorting is stable: an earlier root's comes first.
    return sorted((_Candidate(int(match[1]), entry) for match, entry in named if match), key=lambda one: -one.step)


def _problem(candidate: _Candidate, *, contents: bool) -> str | None:
    """Why it is no complete checkpoint, or None."""
    folder = candidate.folder
    try:
        mode = folder.lstat().st_mode
        if stat.S_ISLNK(mode):
            return f"it is a link: {folder.readlink()}"
        if not stat.S_ISDIR(mode):
            return "it is not a folder"
        if folder.name != f"checkpoint-{candidate.step}":
            return f"no run gives this name: {folder.name}"
        if not (folder / NAME).exists():
            return f"it was cut short, or another program wrote it: no {NAME}"
        problems = check_manifest(folder, contents=contents)
        problems = problems or list(incoherences(candidate.step, folder, read_manifest(folder)))
    except OSError as error:
        return f"unreadable: {error.strerror}"
    more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
    return f"{problems[0]}{more}" if problems else None


def _put_away(candidate: _Candidate, prefix: str, reason: str, metrics: Metrics) -> None:
    folder = candidate.folder
    target = _free_name(folder, prefix)
    try:
        folder.rename(target)
    except OSError as error:
        metrics.note(f"{folder.name} does not count ({reason}) and cannot be set aside: {error.strerror}")
    else:
        metrics.note(f"{folder.name} is set aside: {reason}")
    metrics.event("set_aside", checkpoint=folder.name, step=candidate.step, reason=reason, folder=str(target))


def _free_name(folder: Path, prefix: str) -> Path:
    """What was set aside before stays until a complete checkpoint follows, also when the same step comes again."""
    target, number = folder.with_name(f"{prefix}{folder.name}"), 1
    while target.exists() or target.is_symlink():
        number += 1
        target = folder.with_name(f"{prefix}{folder.name}.{number}")
    return target
