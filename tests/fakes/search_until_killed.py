"""Goes on with a run until its starter kills it on the way."""

from __future__ import annotations

import sys
from pathlib import Path

from runs import Run
from runs.stages.provision import Provision
from runs.state_folder import StateFolder

if __name__ == "__main__":
    with Run.open(sys.argv[2], state=StateFolder(Path(sys.argv[1]))).context() as context:
        Provision().act(context)
