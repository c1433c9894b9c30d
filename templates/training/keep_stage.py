"""The step after a stage's model was verified: keep the model, make room for the next stage's checkpoints.

`python -m templates.training.keep_stage --stage NAME [--last]`. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from templates.agent.manifest import ManifestError
from templates.training.checkpoints import write_durably
from templates.training.metrics import Metrics
from templates.training.stages import keep


def main(argv: list[str]) -> int:
    """Keep it; exit code 1 and a problem event when there is no whole model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True, help="The stage.")
    parser.add_argument("--last", action="store_true", help="No stage comes after it.")
    parser.add_argument("--llamalift_scratch", type=Path, help="Where further checkpoints of it are.")
    asked = parser.parse_args(argv)
    run_dir = Path(os.environ.get("LLAMALIFT_RUN_DIR", ".")).resolve()
    metrics = Metrics(run_dir / "metrics.jsonl")
    roots = [run_dir / "checkpoints", *([asked.llamalift_scratch / "checkpoints"] if asked.llamalift_scratch else [])]
    try:
        folder = keep(run_dir, asked.stage, roots, is_last=asked.last)
    except ManifestError as error:
        metrics.problem("bad_model", f"the model of {asked.stage} is not there: {error}")
        return 1
    metrics.event("kept", name=asked.stage, folder=str(folder))
    words = {"finished_at": time.time(), "model": str(folder)}
    write_durably(run_dir / "markers" / f"keep-{asked.stage}.json", json.dumps(words))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
