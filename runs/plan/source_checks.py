"""Are the sources that the machine fetches there, before anything is rented for them?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from runs.plan.small_requests import UnknownError
from runs.plan.source_questions import Found, RefusedError, ask
from runs.plan.trouble import Trouble
from runs.secrets import known_secrets
from runs.spec.load import wrong_run_file
from runs.spec.sources import LocalSource, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runs.errors import SpecError
    from runs.spec.load import LoadedRunFile
    from runs.spec.yaml_reader import Place

DEADLINE_SECONDS = 20.0
_SECRETS = ("HF_TOKEN", "GIT_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN")


class Verdict(StrEnum):
    """What was found out about a source."""

    THERE = "there"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What a source said.

    Attributes:
        place: Where the run file names it.
        source: Its address.
        verdict: Whether the machine will get it.
        words: Why not, or what is worth knowing; empty otherwise.
        size_bytes: How large it is; None when it did not say.
        files: How many files it has; None when it did not say.
    """

    place: tuple[str | int, ...]
    source: str
    verdict: Verdict
    words: str = ""
    size_bytes: int | None = None
    files: int | None = None


def check_sources(loaded: LoadedRunFile, *, deadline_seconds: float = DEADLINE_SECONDS) -> tuple[SourceAnswer, ...]:
    """Ask every source that the machine is to fetch, side by side, with a few small requests.

    Args:
        loaded: The run file.
        deadline_seconds: One that has not answered by then is unknown.
    """
    named = list(_remote(loaded))
    if not named:
        return ()
    secrets = known_secrets([name for name in loaded.spec.secrets if name in _SECRETS])
    pool = ThreadPoolExecutor(len(named))
    try:
        asked = [(place, text, pool.submit(_ask, place, text, secrets)) for place, text in named]
        wait([future for *_, future in asked], timeout=deadline_seconds)
        return tuple(
            future.result() if future.done() else SourceAnswer(place, text, Verdict.UNKNOWN, "it does not answer")
            for place, text, future in asked
        )
    finally:
        # A name server that says nothing is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)


def refusal_of_sources(loaded: LoadedRunFile, answers: Sequence[SourceAnswer]) -> SpecError | None:
    """Say why the machine would not get what the run file names; None when nothing is known to stand in the way."""
    refused = [one for one in answers if one.verdict is Verdict.REFUSED]
    if not refused:
        return None
    trouble = Trouble.of(loaded)
    for one in refused:
        trouble.add(one.place, f"{one.words}, found: {one.source}")
    return wrong_run_file(loaded.path, list(trouble.problems))


def unknown_notes(answers: Sequence[SourceAnswer]) -> Iterator[str]:
    """Yield what could not be found out."""
    for one in answers:
        if one.verdict is Verdict.UNKNOWN:
            yield f"whether the machine will get it could not be checked, {one.words}: {one.source}"


def _remote(loaded: LoadedRunFile) -> Iterator[tuple[Place, str]]:
    spec = loaded.spec
    named: list[tuple[Place, str]] = [(("model", "from"), spec.model.source), (("data", "from"), spec.data.source)]
    named += [(("sync", number, "from"), item.source) for number, item in enumerate(spec.sync)]
    named += [
        (("train", number, "data", "from"), stage.data.source)
        for number, stage in enumerate(spec.stages)
        if stage.data is not None
    ]
    return ((place, text) for place, text in named if not isinstance(parse_source(text), LocalSource))


def _ask(place: Place, text: str, secrets: Mapping[str, str]) -> SourceAnswer:
    source = parse_source(text)
    assert not isinstance(source, LocalSource)  # noqa: S101 - `_remote` leaves them out
    try:
        found: Found = ask(source, text, secrets)
    except RefusedError as error:
        return SourceAnswer(place, text, Verdict.REFUSED, str(error))
    except UnknownError as error:
        return SourceAnswer(place, text, Verdict.UNKNOWN, str(error))
    return SourceAnswer(place, text, Verdict.THERE, found.note, found.size_bytes, found.files)
