"""Fills a run's disk until the Nth write or request that it makes, and then dies of SIGKILL."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fakes.killable import Points, watch_http, watch_sqlite

if __name__ == "__main__":
    points = Points(None, (), int(sys.argv[3]))
    watch_sqlite(points)
    watch_http(points)
    from runs import Run
    from runs.stages.staging import Staging
    from runs.state_folder import StateFolder

    with Run.open(sys.argv[2], state=StateFolder(Path(sys.argv[1]))).context() as context:
        Staging().act(context)
