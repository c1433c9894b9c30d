"""The dashboard's addresses, each a few lines: read, arrange, answer. All of them only look."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cli.dashboard.answers import data, page
from cli.dashboard.books import Books
from cli.dashboard.curves import curve
from cli.dashboard.guard import Guard
from cli.dashboard.list_view import CHOICES, list_view
from cli.dashboard.log_view import view_log
from cli.dashboard.run_view import cost_bar, notices, tiles
from cli.dashboard.timeline import timeline
from remote.text import printable
from runs.errors import JournalError, RunNotFoundError
from runs.facts import Pausing
from runs.glance import Standing, glance, standing
from runs.receipt import make_receipt
from runs.run import Run
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.requests import Request
    from starlette.responses import Response

    from cli.dashboard.books import Book
    from cli.dashboard.guard import Keys
    from runs.history import RunHistory
    from runs.state_folder import StateFolder
    from runs.training_log import Training
    from runs.watch import Watcher

# On a run's own page its machine is asked so often; for the list, where many are shown, less.
_RUN_SECONDS = 4.0
_LIST_SECONDS = 30.0
_HOUSEKEEPING_SECONDS = 20.0
_MOST_EVENTS = 300
_MOST_PIECES = 2000
_MOST_PAGES = 1_000_000
# What is drawn, and under which name.
CURVES = (("loss", "Loss"), ("learning_rate", "Learning rate"), ("tokens_per_second", "Tokens a second"))


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Answers every request; its methods run in worker threads."""

    state: StateFolder
    watcher: Watcher
    books: Books

    def runs(self, request: Request) -> Response:
        """The list of runs."""
        return page(request, "runs.html", self._list(request))

    def list(self, request: Request) -> Response:
        """The list alone, for a page that is open."""
        return page(request, "list.html", self._list(request))

    def run(self, request: Request) -> Response:
        """One run's page."""
        book = self._book(request)
        if book.run.run_id != request.path_params["run_id"]:
            return RedirectResponse(f"/runs/{book.run.run_id}", status_code=303)
        return page(request, "run.html", {**self._run(book), **_log(book, request)})

    def live(self, request: Request) -> Response:
        """What changes on it."""
        return page(request, "live.html", self._run(self._book(request)))

    def log(self, request: Request) -> Response:
        """Its log's end, or what was found in it."""
        return page(request, "log.html", _log(self._book(request), request))

    def curves(self, request: Request) -> Response:
        """Its curves, as many points as are asked for."""
        trainings = self._book(request).history().trainings
        which = _number(request, "training", -1)
        training = trainings[int(which)] if trainings and -len(trainings) <= which < len(trainings) else None
        return data(request, _version(training), lambda: _curves(training, request))

    def _book(self, request: Request) -> Book:
        return self.books.book(request.path_params["run_id"])

    def _list(self, request: Request) -> dict[str, object]:
        asked = request.query_params
        view = list_view(
            glance(self.state), self.state, word=asked.get("q", "")[:200], choice=asked.get("state", "all"),
            page=int(min(max(_number(request, "page", 1), 1), _MOST_PAGES)),
        )  # fmt: skip
        for row in view.rows:
            if row.glance.standing is Standing.RUNNING:
                self.watcher.heard(Run.open(row.glance.line.run_id, state=self.state), every_seconds=_LIST_SECONDS)
        return {"view": view, "choices": tuple(CHOICES)}

    def _run(self, book: Book) -> dict[str, object]:
        history, now = book.history(), time.time()
        heard = self.watcher.heard(book.run, every_seconds=_RUN_SECONDS)
        return {
            "history": history,
            "training": history.training,
            "standing": _standing(book, history),
            "heard": heard,
            "notices": tuple(notices(history, heard)),
            "tiles": tuple(tiles(history, heard, now)),
            "curves": CURVES,
            "timeline": timeline(history, now),
            "events": tuple(islice(reversed(history.events), _MOST_EVENTS)),
            "bar": cost_bar(history),
            "receipt": make_receipt(book.run.journal, book.run.run_id),
            # The second net, as everywhere: what a machine or a cloud said, without secrets and control characters.
            "plain": lambda text: printable(book.masker.text(text)),
        }


def make_app(state: StateFolder, keys: Keys, watcher: Watcher) -> Starlette:
    """The dashboard of a state folder, open to whoever has `keys`."""
    board = Dashboard(state, watcher, Books(state))
    return Starlette(
        routes=[
            Route("/", board.runs),
            Route("/list", board.list),
            Route("/runs/{run_id}", board.run),
            Route("/runs/{run_id}/live", board.live),
            Route("/runs/{run_id}/log", board.log),
            Route("/runs/{run_id}/curves", board.curves),
            Mount("/assets", StaticFiles(packages=[("cli.dashboard", "assets")])),
        ],
        middleware=[Middleware(Guard, keys=keys)],
        exception_handlers={404: _not_found, RunNotFoundError: _not_found, JournalError: _no_journal},
        lifespan=_lifespan(watcher),
    )


def _lifespan(watcher: Watcher) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async def keep_house() -> None:
            while True:
                await asyncio.sleep(_HOUSEKEEPING_SECONDS)
                watcher.hang_up_unwatched()

        housekeeping = asyncio.create_task(keep_house())
        try:
            yield
        finally:
            housekeeping.cancel()

    return lifespan


def _standing(book: Book, history: RunHistory) -> Standing:
    newest = history.stages[-1].state.value if history.stages else ""
    state = "ended" if history.row.state is RunState.ENDED else newest
    pausing = book.run.journal.get(book.run.run_id, Pausing)
    return standing(state, is_at_home=history.collected is not None, pausing=pausing)


def _log(book: Book, request: Request) -> dict[str, object]:
    word = request.query_params.get("q", "")[:200]
    return {"log": view_log(book.log, word, book.masker.masked), "word": word, "run_id": book.run.run_id}


def _version(training: Training | None) -> object:
    """Changes with whatever a curve shows."""
    if training is None:
        return None
    return training.stage, training.points, training.newest("at"), len(training.starts), len(training.saves)


def _curves(training: Training | None, request: Request) -> dict[str, object]:
    if training is None:
        return {"points": 0, "total_steps": None, "curves": {}, "restarts": [], "saves": []}
    first, last = _number(request, "first", -math.inf), _number(request, "last", math.inf)
    pieces = int(min(max(_number(request, "pieces", 400), 10), _MOST_PIECES))
    return {
        "points": training.points,
        "total_steps": training.total_steps,
        "curves": {
            name: asdict(
                curve(training.columns, name, pieces=pieces, first=first, last=last, with_smooth=name == "loss")
            )
            for name, _ in CURVES
        },
        "restarts": [start.step for start in training.starts[1:]],
        "saves": [save.step for save in training.saves][-200:],
    }


def _number(request: Request, name: str, otherwise: float) -> float:
    try:
        number = float(request.query_params.get(name, ""))
    except ValueError:
        return otherwise
    return otherwise if math.isnan(number) else number


def _not_found(request: Request, _: Exception) -> Response:
    return _trouble(request, 404, "there is no such page or run", "all runs are in the list")


def _no_journal(request: Request, error: Exception) -> Response:
    fact, hint = (error.fact, error.hint) if isinstance(error, JournalError) else (str(error), "")
    return _trouble(request, 503, fact, hint)


def _trouble(request: Request, status: int, fact: str, hint: str) -> Response:
    return page(request, "trouble.html", {"fact": fact, "hint": hint}, status=status)
