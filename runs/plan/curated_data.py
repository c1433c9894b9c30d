"""What curation leaves of a local data set, found out before anything is rented where that takes seconds."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from templates.curation.curate import curate
from templates.curation.errors import CurationError, MissingError
from templates.training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from templates.curation.rules import RuleSet

# A few seconds' work.
MOST_BYTES = 16 << 20


@contextmanager
def curated_file(file: Path, rules: RuleSet) -> Iterator[tuple[Path, int] | None]:
    """Give the curated rows of a file and the number of its own rows; None for one that only the machine will curate.

    Raises:
        DataError: It cannot be curated.
    """
    if file.stat().st_size > MOST_BYTES:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="llamalift-plan-") as folder:
        there = Path(folder)
        output = there / "data.jsonl"
        try:
            # One process: this is done before others would have started.
            report = curate(file, output, rules, report_json=there / "json", report_html=there / "html", workers=1)
        except MissingError:
            yield None
            return
        except CurationError as error:
            raise DataError(str(error)) from error
        yield output, report.rows
