"""Curate on this computer: a local input, or a data set of the Hub that is fetched first."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.curation.load import load_rules
from runs.errors import SpecError
from runs.spec.sources import HubSource, LocalSource, parse_source
from templates.curation.curate import curate
from templates.curation.errors import BusyError, CurationError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from templates.curation.report import Report

# Told what is going on, the bytes done and all bytes.
CurationProgress = Callable[[str, int, int], None]
_SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True, slots=True)
class Curated:
    """A curation that is done.

    Attributes:
        report: What it did.
        output: The rows that were kept.
        page: The report's page.
        seconds: How long it took.
    """

    report: Report
    output: Path
    page: Path
    seconds: float


def curate_here(
    source: str,
    output: Path,
    named: Sequence[str],
    *,
    report: Path | None = None,
    workers: int | None = None,
    progress: CurationProgress = lambda _what, _done, _total: None,
) -> Curated:
    """Curate a data set into a file.

    Args:
        source: A local file or folder, or `hf://datasets/owner/name[@revision][/file]`.
        output: What is left: `.jsonl`, or `.json` for a list.
        named: Shipped sets or rule files.
        report: Where the report goes, with any suffix; by default beside the output.
        workers: Processes; by default as many as there are cores.
        progress: Told how far it is.

    Raises:
        SpecError: Input, output or rules cannot be used as they are.
    """
    began = time.monotonic()
    if output.suffix not in _SUFFIXES:
        raise SpecError(f"expected an output that ends in .jsonl or .json, found: {output}")
    rules = load_rules(named, Path())
    base = report or output.with_suffix(".report")
    page = base.with_suffix(f"{base.suffix}.html") if base.suffix == ".report" else base.with_suffix(".html")
    with _explained(), _local(source, output, progress) as local:
        made = curate(
            local,
            output,
            rules,
            report_json=page.with_suffix(".json"),
            report_html=page,
            workers=workers,
            progress=lambda done, total: progress("reading", done, total),
        )
    return Curated(made, output, page, time.monotonic() - began)


@contextmanager
def _local(source: str, output: Path, progress: CurationProgress) -> Iterator[Path]:
    try:
        parsed = parse_source(source)
    except ValueError as error:
        raise SpecError(f"cannot curate from there: {error}") from error
    if isinstance(parsed, LocalSource):
        yield Path(parsed.path).expanduser()
        return
    if not isinstance(parsed, HubSource):
        raise SpecError(
            f"expected a local file or folder, or hf://datasets/owner/name, found: {source}",
            hint="fetch it first; a run with data.curate fetches and curates it on the machine",
        )
    from runs.curation.hub import fetch

    if not parsed.is_dataset:
        raise SpecError(f"expected a data set, such as hf://datasets/owner/name, found: {source}")
    with tempfile.TemporaryDirectory(prefix=".hub-", dir=output.parent) as folder:
        yield fetch(parsed, Path(folder), progress)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what stops a curation into an error with a next step."""
    try:
        yield
    except MissingError as error:
        raise SpecError(str(error), hint="install the extra: uv tool install 'llamalift[curate]'") from error
    except BusyError as error:
        raise SpecError(str(error), hint="wait for it, or write another output") from error
    except CurationError as error:
        raise SpecError(str(error), hint="what a row must look like: docs/guides/curate.md") from error
