"""Boots the machine of a pickled spec from a short-lived thread, says so as JSON, and stays until its input ends."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from pathlib import Path

from provisioning.rehearsal.machines import RunningMachine, boot, is_alive


def main(spec_file: str) -> None:
    """Boot as a web server would: in a thread that is gone when the machine runs."""
    spec = pickle.loads(Path(spec_file).read_bytes())  # noqa: S301 (the test wrote it)
    booted: list[RunningMachine] = []
    thread = threading.Thread(target=lambda: booted.append(boot(spec)))
    thread.start()
    thread.join()
    machine = booted[0]
    print(json.dumps({"pid": machine.pid, "kind": machine.kind, "alive": is_alive(machine)}), flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
