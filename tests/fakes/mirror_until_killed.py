"""Mirrors once, and dies (SIGKILL) when the Nth request to the storage account has been answered.

`python -m tests.fakes.mirror_until_killed N CHECKPOINTS URL`
"""

from __future__ import annotations

import http.client
import os
import signal
import sys

from templates.training import mirror


def main(number: int, checkpoints: str, url: str) -> int:
    """Count answers at the standard library's own door, through which the SDK goes."""
    getresponse = http.client.HTTPConnection.getresponse
    answers = 0

    def counted(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        nonlocal answers
        response = getresponse(self)
        answers += 1
        if answers == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    http.client.HTTPConnection.getresponse = counted  # type: ignore[method-assign]  # no hook of its own
    return mirror.main(["--checkpoints", checkpoints, "--mirror", url, "--once"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
