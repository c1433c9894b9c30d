"""A log on a full disk must not end the training that it tells of."""

from __future__ import annotations

import sys
from typing import TextIO


class EnduringStream:
    """A text stream that loses what it cannot write, and is otherwise the stream that it wraps."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap `stream`."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write if that is possible; the Trainer prints every step's loss, and a lost line is only a lost line."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        try:
            self._stream.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def endure_full_disk() -> None:
    """Let standard output and error outlive the disk's last byte."""
    sys.stdout = EnduringStream(sys.stdout)
    sys.stderr = EnduringStream(sys.stderr)
