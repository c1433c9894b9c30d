"""`python -m provisioning.rehearsal.machines.in_process SETTINGS`: one local machine, until its lifeline breaks."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

from provisioning.rehearsal.machines.in_process.server import serve
from provisioning.rehearsal.machines.in_process.settings import ServerSettings

_LOG = logging.getLogger("machine")


class _SwitchedOffError(Exception):
    """SIGTERM came."""


def main(settings_file: str) -> None:
    """Serve until standard input ends (the rehearsal cloud is gone) or SIGTERM (somebody switched the machine off)."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    _LOG.setLevel(logging.INFO)
    settings = ServerSettings.read(Path(settings_file))
    signal.signal(signal.SIGTERM, _switch_off)
    # The agent asks sshd to read its host key again; this server reads it for every connection. (Not SIG_IGN, which
    # every command would inherit.)
    signal.signal(signal.SIGHUP, lambda _signal, _frame: None)
    try:
        threading.Thread(target=serve, args=[settings], daemon=True).start()
        _start_script(settings, settings.boot_script)
        _follow_lifeline(settings)
        _LOG.info("the rehearsal cloud is gone; switching off")
    except _SwitchedOffError:
        _LOG.info("switching off")
    finally:
        settings.clean_up()
    # Threads may still serve connections, and Python would take itself apart under them.
    logging.shutdown()
    os._exit(0)


def _follow_lifeline(settings: ServerSettings) -> None:
    """Run the scripts that the control plane names, each line a path; return when standard input ends.

    A signal wakes us whenever it comes: its handler runs between two reads.
    """
    line = b""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if 0 not in ready:
            continue
        piece = os.read(0, 4096)
        if not piece:
            return
        *paths, line = (line + piece).split(b"\n")
        for path in paths:
            _start_script(settings, os.fsdecode(path))


def _start_script(settings: ServerSettings, path: str) -> None:
    process = subprocess.Popen(
        ["/bin/sh", path],
        env=settings.environment,
        stdin=subprocess.DEVNULL,
        cwd=settings.home,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, daemon=True).start()


def _switch_off(_signal: int, _frame: object) -> None:
    raise _SwitchedOffError


if __name__ == "__main__":
    main(sys.argv[1])
