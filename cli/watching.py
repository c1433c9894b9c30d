"""`status --watch`: one run, looked at again and again. The screen is drawn beside the looking and never hangs.

On a terminal it fills the screen without flicker and follows a resize; what was on it before comes back at the end,
with one line that says where the run stood. Into a file or a pipe it writes a line whenever something has changed.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from runs.run import Run
from runs.status import Lookout
from runs.types import RunState

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from runs.status import RunStatus

_EVERY_SECONDS = 2.0
# Ages and times go on between two looks.
_REDRAWS_PER_SECOND = 4


class Looking(threading.Thread):
    """Looks in the background; `seen` is the newest look, `error` what ended it."""

    def __init__(self, lookout: Lookout, *, every_seconds: float = _EVERY_SECONDS) -> None:
        super().__init__(daemon=True, name="looking")
        self._lookout = lookout
        self._every_seconds = every_seconds
        self._over = threading.Event()
        self.news = threading.Event()
        self.seen: RunStatus | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Look until told to stop, or nothing more can happen."""
        try:
            while not self._over.is_set() and not self.is_done:
                self.seen = self._lookout.look()
                self.news.set()
                if not self.is_done:
                    self._over.wait(self._every_seconds)
        except Exception as error:  # noqa: BLE001 - it is raised again where the user is
            self.error = error
        finally:
            self.news.set()

    @property
    def is_done(self) -> bool:
        """Nothing is left in the cloud: nothing changes any more."""
        return self.seen is not None and self.seen.row.state is RunState.ENDED

    @property
    def is_over(self) -> bool:
        """There will be no further look."""
        return self.is_done or self.error is not None

    def stop(self) -> None:
        """End it; a look that is open ends by its own deadline."""
        self._over.set()


def watch_run(run: str, *, as_json: bool) -> None:
    """Watch a run until it has ended, or Ctrl-C.

    Raises:
        RunNotFoundError: There is no such run.
    """
    from cli.console import data

    lookout = Lookout(Run.open(run))
    looking = Looking(lookout)
    looking.start()
    try:
        with suppress(KeyboardInterrupt):  # how watching usually ends
            if as_json or not data().is_terminal:
                _write_lines(looking, as_json=as_json)
            else:
                _draw(looking)
    finally:
        looking.stop()
    if looking.error is not None:
        raise looking.error
    _say_goodbye(looking, as_json=as_json)


class Screen:
    """The newest look, drawn for whatever size the terminal has at that moment."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """As much of it as there is room for."""
        from rich.text import Text

        from cli.status_screen import status_view

        seen = self._looking.seen
        if seen is None:
            yield Text("looking ...", "dim")
        else:
            yield status_view(seen, width=options.max_width)
        yield Text("\n  Ctrl-C ends watching; the run goes on", "dim")


def _draw(looking: Looking) -> None:
    from rich.live import Live

    from cli.console import data

    # Rich draws each frame over the last one, line by line: no clearing, so nothing flickers.
    with Live(
        Screen(looking), console=data(), screen=True, refresh_per_second=_REDRAWS_PER_SECOND, vertical_overflow="crop"
    ):
        while not looking.is_over:
            looking.news.wait(1.0)
            looking.news.clear()
            time.sleep(1 / _REDRAWS_PER_SECOND)


def _write_lines(looking: Looking, *, as_json: bool) -> None:
    from cli.status_screen import one_line
    from runs.status_json import status_json

    said = ""
    while True:
        looking.news.wait()
        looking.news.clear()
        if looking.seen is not None and looking.error is None:
            line = json.dumps(status_json(looking.seen)) if as_json else one_line(looking.seen)
            if as_json or line != said:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            said = line
        if looking.is_over:
            return


def _say_goodbye(looking: Looking, *, as_json: bool) -> None:
    from cli.console import data, talk
    from cli.status_screen import one_line, print_status

    if looking.seen is None or as_json or not data().is_terminal:
        return
    if looking.is_done:
        print_status(looking.seen)
    else:
        talk().print(one_line(looking.seen), markup=False)
