"""Run ids for a shell, a line each: the id, a tab, and where the run stands.

Somebody has pressed a key and waits: this imports nothing of ours that `import sqlite3` does not need, because the
journal's own module takes longer to load than all of the rest.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing

_SQL = "SELECT run_id, cloud, state FROM runs WHERE state != ? ORDER BY created_at DESC, run_id"


def print_run_ids(*, active_only: bool) -> None:
    """Print them, newest first; a journal that cannot be read has none to offer.

    Args:
        active_only: Leave out runs of which nothing is left in the cloud (`runs.types.RunState`).
    """
    try:
        with closing(sqlite3.connect(f"file:{_journal()}?mode=ro", uri=True, timeout=1)) as journal:
            rows = journal.execute(_SQL, ["ended" if active_only else ""]).fetchall()
    except sqlite3.Error:
        return
    sys.stdout.writelines(f"{run_id}\t{cloud} {state}\n" for run_id, cloud, state in rows)


def _journal() -> str:
    """The journal's file as a path in a URI; the same place as `runs.state_folder` has, which a test compares."""
    from urllib.parse import quote

    root = os.environ.get("LLAMALIFT_STATE_DIR")
    if not root:
        from platformdirs import user_state_dir

        root = user_state_dir("llamalift")
    return quote(os.path.abspath(os.path.join(root, "journal.sqlite")))  # noqa: PTH100, PTH118 - pathlib is slow to load
