"""Curate a data set: rows in, rows that the rules keep out, and a report of what became of the others.

The same input and rules give the same bytes, with any number of processes. Memory does not grow with the data: what the
passes tell each other is on the disk, beside the output, where about as much room is needed as the output takes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from templates.curation.assembly import assemble
from templates.curation.duplicates import Standing, alike, same
from templates.curation.errors import InputError
from templates.curation.inputs import PIECE_BYTES, InputFile, find_inputs
from templates.curation.output import lengths_after, write_rows
from templates.curation.page import page
from templates.curation.piecework import texts_in
from templates.curation.pool import Pool
from templates.curation.report import Report, rule_reports
from templates.curation.rules import DuplicateCondition, Rule, RuleSet
from templates.curation.tally import SAMPLES, Tally, sample_of
from templates.curation.workplace import publish, workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# Each process holds a piece, several times over: more of them than this gain little and take gigabytes.
_MOST_WORKERS = 32


def default_workers() -> int:
    """One for each core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(_MOST_WORKERS, cores or 1))


def curate(
    source: Path,
    output: Path,
    rules: RuleSet,
    *,
    report_json: Path,
    report_html: Path,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    piece_bytes: int = PIECE_BYTES,
) -> Report:
    """Curate a file, or the data files of a folder. Output and reports appear whole, the output last, or not at all.

    Args:
        source: The input: JSON list, JSON lines or Parquet.
        output: `.json` becomes a list, everything else JSON lines.
        rules: The rules.
        report_json: Where the report goes.
        report_html: Where the report's page goes.
        workers: Processes; by default as many as there are cores.
        progress: Told the bytes read so far and all bytes.
        piece_bytes: What a process reads at once; the result does not depend on it.

    Raises:
        CurationError: The input cannot be read, no row is left, or another process curates into the same file.
    """
    files = find_inputs(source)
    if any(file.path.resolve() == output.resolve() for file in files):
        raise InputError(f"the output would replace the input: {output}")
    over = threading.Event()
    with workplace(output) as folder, ThreadPoolExecutor(1) as aside, _set_at_end(over):
        digest = aside.submit(digest_of, files, over)
        cores = default_workers() if workers is None else workers
        with Pool(rules, folder, _useful(cores, files, piece_bytes)) as pool:
            assembled = assemble(files, pool, progress, piece_bytes)
            standing, tally = Standing(assembled, folder), assembled.tally
            for number, rule in enumerate(rules.duplicate_rules):
                _drop_duplicates(standing, number, rule, tally, pool)
        kept = sum(standing.flags)
        if not kept:
            raise InputError(f"the rules leave none of {tally.rows:,} rows: {source}")
        # Under the name that it will have, since that decides its form.
        rows = folder / output.name
        report = Report(
            rules_name=rules.name,
            rules_sha256=rules.sha256,
            input_names=tuple(file.path.name for file in files),
            input_sha256=digest.result(),
            output_sha256=write_rows(standing, rows),
            rows=tally.rows,
            kept=kept,
            rules=rule_reports(rules.names, tally),
            lengths_before=tuple(tally.lengths_before),
            lengths_after=tuple(lengths_after(standing)),
        )
        (folder / "report").write_text(report.to_json(), encoding="utf-8")
        (folder / "page").write_text(page(report), encoding="utf-8")
        publish({folder / "report": report_json, folder / "page": report_html, rows: output})
    return report


def _useful(workers: int, files: Sequence[InputFile], piece_bytes: int) -> int:
    """What fits into one piece is done before further processes have started."""
    return workers if sum(file.size_bytes for file in files) > piece_bytes else 1


def _drop_duplicates(standing: Standing, number: int, rule: Rule, tally: Tally, pool: Pool) -> None:
    condition = rule.condition
    assert isinstance(condition, DuplicateCondition)  # noqa: S101 - duplicate_rules has no others
    pairs = same(standing, number) if condition.similarity is None else alike(standing, number, condition, pool).items()
    words = "the same as" if condition.similarity is None else "resembles"
    first: list[tuple[int, int]] = []
    gone = 0
    for later, earlier in pairs:
        gone += 1
        first = sorted([*first, (later, earlier)])[:SAMPLES]
        standing.flags[later] = 0
    tally.dropped[rule.name] = gone
    for later, earlier in first:
        why = f"{words} row {standing.row(earlier):,}"
        tally.samples[rule.name].append(sample_of(standing.row(later), why, texts_in(standing.line(later))))


@contextmanager
def _set_at_end(event: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        event.set()


def digest_of(files: Sequence[InputFile], over: threading.Event | None = None) -> str:
    """SHA-256 of a file in hex; of several, of their digests in hex, one on each line.

    Args:
        files: The files.
        over: Once set, nobody waits for the answer any more.
    """
    digests = [_digest(file, over) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join([*digests, ""]).encode()).hexdigest()


def _digest(file: InputFile, over: threading.Event | None) -> str:
    digest = hashlib.sha256()
    with file.path.open("rb") as opened:
        while not (over and over.is_set()) and (data := opened.read(1 << 20)):
            digest.update(data)
    return digest.hexdigest()
