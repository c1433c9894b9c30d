"""The job's first step: curate the data on the machine, before it is trained on.

Run by `python -m templates.curation.step --run-dir R --input I --rules F --output O --marker M`. The marker says what
was curated by what into what, and a further start finds there that nothing is left to do. The report lies beside the
output, from where the final model takes it along.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.curation.curate import curate, digest_of
from templates.curation.errors import CurationError
from templates.curation.inputs import find_inputs
from templates.curation.rules import RuleSet
from templates.training.exit_codes import BAD_DATA, OK
from templates.training.metrics import Metrics

if TYPE_CHECKING:
    from templates.curation.report import Report

REPORT_JSON, REPORT_PAGE = "curation.json", "curation.html"


def main(argv: list[str]) -> int:
    """Curate; exit code 65 and a problem event when the data cannot be curated."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--run-dir", "--input", "--rules", "--output", "--marker"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args(argv)
    metrics = Metrics(asked.run_dir / "metrics.jsonl")
    metrics.phase("curating")
    rules = RuleSet.from_json(asked.rules.read_text(encoding="utf-8"))
    marker = asked.marker
    try:
        if _is_done(atomic.read_json(marker), asked.input, rules, asked.output):
            metrics.note("the data is curated already")
            return OK
        marker.unlink(missing_ok=True)
        report = _curate(asked.input, rules, asked.output)
    except CurationError as error:
        metrics.problem("bad_data", f"the data cannot be curated: {error}")
        return BAD_DATA
    metrics.note(f"curated by {report.rules_name}: {report.kept:,} of {report.rows:,} rows kept")
    marker.parent.mkdir(exist_ok=True)
    atomic.write_json(marker, {"finished_at": time.time(), **facts_of(report)})
    return OK


def facts_of(report: Report) -> dict[str, Any]:
    """What a run keeps of a report: which rules, which data, and how many rows."""
    return {
        "rules_name": report.rules_name,
        "rules_sha256": report.rules_sha256,
        "input_sha256": report.input_sha256,
        "output_sha256": report.output_sha256,
        "fingerprint": report.fingerprint,
        "rows": report.rows,
        "kept": report.kept,
        "dropped": {rule.name: rule.dropped for rule in report.rules if rule.dropped},
    }


def _curate(source: Path, rules: RuleSet, output: Path) -> Report:
    output.parent.mkdir(parents=True, exist_ok=True)
    page, told = output.with_name(REPORT_PAGE), output.with_name(REPORT_JSON)
    return curate(source, output, rules, report_json=told, report_html=page)


def _is_done(marker: dict[str, Any] | None, source: Path, rules: RuleSet, output: Path) -> bool:
    """The same rules have made, of the same input, the very output that is there."""
    if marker is None or not output.is_file() or marker["rules_sha256"] != rules.sha256:
        return False
    with output.open("rb") as file:
        is_whole = hashlib.file_digest(file, "sha256").hexdigest() == marker["output_sha256"]
    return is_whole and bool(digest_of(find_inputs(source)) == marker["input_sha256"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
