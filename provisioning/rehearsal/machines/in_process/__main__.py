"""`python -m provisioning.rehearsal.machines.in_process SETTINGS`: one local machine, until its lifeline breaks."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from provisioning.rehearsal.machines.in_process.server import serve
from provisioning.rehearsal.machines.in_process.settings import ServerSettings

_LOG = logging.getLogger("machine")


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
        _start_boot_script(settings)
        while os.read(0, 4096):
            pass
        _LOG.info("the rehearsal cloud is gone; switching off")
    finally:
        settings.clean_up()


def _start_boot_script(settings: ServerSettings) -> None:
    subprocess.Popen(
        ["/bin/sh", settings.boot_script],
        env=settings.environment,
        stdin=subprocess.DEVNULL,
        cwd=settings.home,
        start_new_session=True,
    )


def _switch_off(_signal: int, _frame: object) -> None:
    _LOG.info("switching off")
    raise SystemExit


if __name__ == "__main__":
    main(sys.argv[1])
