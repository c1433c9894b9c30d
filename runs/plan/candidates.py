"""Which VM sizes a run file allows, and what the run would take on each of them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.plan.obstacles import Obstacle, Why
from runs.plan.sizes import VmSize, find_size, wish_words, wished_sizes
from runs.plan.stage_figures import run_figures
from runs.plan.trouble import Trouble
from runs.plan.workload import Workload, workload_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.figures import Figures
    from runs.spec.load import LoadedRunFile


@dataclass(frozen=True, slots=True)
class Candidate:
    """A size, what the run takes on it, and why it would not do, if so."""

    figures: Figures
    obstacle: Obstacle | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """The work and every size that is allowed to do it, the first choice first."""

    work: Workload
    candidates: tuple[Candidate, ...]


def study_of(loaded: LoadedRunFile) -> Study:
    """Work out what a run takes on every size that its run file allows; no network.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    trouble = Trouble.of(loaded)
    work = workload_of(loaded, trouble)
    sizes = list(_sizes(loaded, trouble))
    candidates = _of_wish(work, sizes, trouble) if loaded.spec.machine.is_wish else _of_named(work, sizes, trouble)
    trouble.stop_if_any()
    return Study(work, tuple(candidates))


def _sizes(loaded: LoadedRunFile, trouble: Trouble) -> Iterator[VmSize]:
    machine = loaded.spec.machine
    if machine.is_wish:
        found = wished_sizes(machine, rehearsal=loaded.spec.cloud == "rehearsal")
        if not found:
            words = wish_words()
            near = difflib.get_close_matches(str(machine.gpus), words, n=1, cutoff=0.5)
            message = f"no size has that; there are {', '.join(words)}, found: {machine.gpus}"
            trouble.add(("machine", "gpus"), message, near[0] if near else "")
        yield from found
        return
    places = (("machine", "size"), *(("machine", "other_sizes", index) for index in range(len(machine.other_sizes))))
    for place, name in zip(places, (machine.size, *machine.other_sizes), strict=True):
        size = find_size(name)
        if size is None:
            trouble.unknown_size(place, name)
        else:
            yield size


def _of_named(work: Workload, sizes: list[VmSize], trouble: Trouble) -> list[Candidate]:
    """The first size must do; one of the others that does not is passed over."""
    if not sizes:
        return []
    first = Candidate(run_figures(work, sizes[0], trouble))
    return [first, *(_tried(work, size, trouble) for size in sizes[1:])]


def _of_wish(work: Workload, sizes: list[VmSize], trouble: Trouble) -> list[Candidate]:
    """At least one size must do."""
    if not sizes or trouble.problems:
        return []
    candidates = [_tried(work, size, trouble) for size in sizes]
    if all(one.obstacle for one in candidates):
        # What is wrong with all of them is most likely not the machine's fault: the largest says it best.
        last = trouble.fork()
        run_figures(work, sizes[-1], last)
        trouble.join(last)
    return candidates


def _tried(work: Workload, size: VmSize, trouble: Trouble) -> Candidate:
    found = trouble.fork()
    figures = run_figures(work, size, found)
    if not found.problems:
        return Candidate(figures)
    return Candidate(figures, Obstacle(Why.FIT, found.problems[0].message))
