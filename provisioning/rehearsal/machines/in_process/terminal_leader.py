"""Makes standard input the controlling terminal of this (new) session, then becomes the command.

A file of its own, because a process with threads must not run Python between fork and exec.

Usage: terminal_leader.py PROGRAM [ARGUMENT...]
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios

if __name__ == "__main__":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (that is its whole purpose)
