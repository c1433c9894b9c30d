"""Runs a program whose secrets must not get into its log: `python -m templates.training.masked NAMES PROGRAM …`.

NAMES are those of the environment variables that hold them, with commas between. What the program prints goes through
here on its way to the log, so that the log holds no secret wherever it is read or copied. Signals and the exit code are
passed on, so whoever starts and watches the program sees no difference.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from templates.training.masking import MaskedStream, Masker

_PIECE_BYTES = 64 * 1024
# Processes that outlive the program may hold its output open.
_LAST_WORDS_SECONDS = 5.0


def main(argv: list[str]) -> int:
    """Run the program to its end; gives its exit code, and dies of the signal that it died of."""
    names, *program = argv
    stream = MaskedStream(Masker(os.environ.get(name, "") for name in names.split(",")))
    ours, theirs = os.pipe()
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.STDOUT)
    os.close(theirs)
    signal.signal(signal.SIGTERM, lambda number, _frame: child.send_signal(number))
    reader = threading.Thread(target=_pass_on, args=(ours, stream), daemon=True)
    reader.start()
    code = child.wait()
    reader.join(_LAST_WORDS_SECONDS)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _pass_on(source: int, stream: MaskedStream) -> None:
    while data := os.read(source, _PIECE_BYTES):
        _write(stream.feed(data))
    _write(stream.end())


def _write(data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(sys.stdout.fileno(), view) :]
    except OSError:
        # A full disk costs words of the log, but must not block the program, whose own writes tell of it.
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
