"""Whether a process of this computer is there."""

from __future__ import annotations

import os


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # There is one, and it belongs to someone else.
        return True
    return True
