"""Goes on with a run until its starter kills it on the way, or until the Nth write or request that it makes."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fakes.killable import Points, watch_http, watch_sqlite

if __name__ == "__main__":
    if len(sys.argv) > 3:
        points = Points(None, (), int(sys.argv[3]))
        watch_sqlite(points)
        watch_http(points)
    from runs import Run
    from runs.stages.provision import Provision
    from runs.state_folder import StateFolder

    with Run.open(sys.argv[2], state=StateFolder(Path(sys.argv[1]))).context() as context:
        Provision().act(context)
