"""The first process (PID 1) inside a sandboxed machine: starts sshd and runcmd, buries the dead, switches off.

It runs as a file of its own on the machine's interpreter, without this package on its path: standard library only.
When it ends, the kernel ends every other process of the machine.

Usage: sandbox_init.py SSHD SSHD_CONFIG RUNCMD_SCRIPT
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5.0


def main(sshd: str, sshd_config: str, runcmd: str) -> NoReturn:
    """Run the machine until sshd ends, somebody switches it off, or the lifeline breaks."""
    # Whoever kills the launcher outside means the machine.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGTERM, _switch_off)
    threading.Thread(target=_follow_lifeline, daemon=True).start()
    server = _start([sshd, "-D", "-e", "-f", sshd_config])
    _start(["/bin/sh", runcmd])
    while os.wait()[0] != server.pid:
        pass
    _say("sshd ended; switching off")
    os._exit(1)


def _start(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)


def _follow_lifeline() -> None:
    """Run the scripts that the control plane names, each line a path; leave when the lifeline breaks."""
    line = b""
    while piece := os.read(0, 4096):
        *paths, line = (line + piece).split(b"\n")
        for path in paths:
            _start(["/bin/sh", os.fsdecode(path)])
    _say("the rehearsal cloud is gone; switching off")
    os._exit(0)


def _switch_off(_signal: int, _frame: object) -> NoReturn:
    _say("switching off")
    os.kill(-1, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and _others_are_left():
        time.sleep(0.02)
    os._exit(0)


def _others_are_left() -> bool:
    """Everything orphaned becomes our child, so no child means nobody."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _say(text: str) -> None:
    sys.stderr.write(f"machine: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
