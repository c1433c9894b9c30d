"""The dashboard with 1,000 runs, one of which has logged 200,000 steps, in Debian's Chromium; the peer is TensorBoard.

Both serve the same number of points of one loss from this computer, without a network. Measured for both, in turn, each
time in a new browser: from asking for the page of the long run until its curve is drawn, with a server that has read
everything (`ratio`), and once from starting the server (`ratio_cold`). For the dashboard alone: the list of runs, how
soon a new line of metrics is drawn on an open page (which asks every 2 s), and what is held in memory.
TensorBoard draws at most 1,000 of the points, a random sample, which is its default; the dashboard the lowest and
highest of each pixel. Needs the training environment (`make test` makes it) and Chromium.
Last line: {"ratio": x, "ratio_cold": x, "list_paint_ms": n, "run_drawn_ms": n, "update_ms": n, "server_mb": n, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.state_folder import StateFolder
from tests.benchmarks.save_overhead import training_python
from tests.fakes.served_dashboard import chromium, served_dashboard
from tests.fakes.told_runs import ToldRun, write_metrics, write_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.fakes.served_dashboard import ServedDashboard

_RUNS, _STEPS, _QUICK_STEPS = 1000, 200_000, 40_000
_LONG = "long-run-llllll"
_DEADLINE_MS = 180_000
_WRITER = Path(__file__).parents[1] / "fakes" / "told_to_tensorboard.py"
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one server: milliseconds, and MB of memory."""

    cold_ms: float
    drawn_ms: list[float]
    server_mb: float
    heap_mb: float


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="40,000 steps, fewer rounds")
    rounds, steps = (2, _QUICK_STEPS) if parser.parse_args().quick else (10, _STEPS)
    python = training_python()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        state = StateFolder(Path(folder, "state"))
        fill(state, steps)
        subprocess.run([python, _WRITER, f"{folder}/events", str(steps)], check=True)
        ours, more = measure_ours(browser, state, steps, rounds)
        peer = measure_peer(browser, python, f"{folder}/events", steps, rounds)
    for name, one in (("dashboard", ours), ("TensorBoard", peer)):
        print(
            f"{name:<12} drawn {statistics.median(one.drawn_ms):7.0f} ms (of {rounds}), from the server's start "
            f"{one.cold_ms:7.0f} ms; server {one.server_mb:.0f} MB, page {one.heap_mb:.0f} MB"
        )
    print(json.dumps(result(ours, peer) | more | {"runs": _RUNS, "points": steps, "rounds": rounds}))


def result(ours: Figures, peer: Figures) -> dict[str, float]:
    """The figures by their names."""
    drawn, peers = statistics.median(ours.drawn_ms), statistics.median(peer.drawn_ms)
    return {
        "ratio": round(drawn / peers, 3),
        "ratio_cold": round(ours.cold_ms / peer.cold_ms, 3),
        "run_drawn_ms": round(drawn),
        "tensorboard_drawn_ms": round(peers),
        "run_cold_ms": round(ours.cold_ms),
        "tensorboard_cold_ms": round(peer.cold_ms),
        "server_mb": round(ours.server_mb),
        "tensorboard_server_mb": round(peer.server_mb),
        "page_mb": round(ours.heap_mb),
        "tensorboard_page_mb": round(peer.heap_mb),
    }


def fill(state: StateFolder, steps: int) -> None:
    """A thousand runs, each with curves of its own, and the long one."""
    runs = [
        ToldRun(state, f"sweep-{number:06}", hours_ago=6 + number, standing="finished") for number in range(_RUNS - 1)
    ]
    write_runs(state, runs)
    for run in runs:
        write_metrics(run.folder / "metrics.jsonl", 150, 1288, begun=run.begun)
    ToldRun(state, _LONG, steps=1).write()
    write_metrics(state.run(_LONG) / "metrics.jsonl", steps, 2 * steps, begun=time.time() - steps, step_seconds=1)


def measure_ours(browser: Browser, state: StateFolder, steps: int, rounds: int) -> tuple[Figures, dict[str, float]]:
    """The dashboard: the long run cold and warm, the list, an update, memory."""
    began = time.perf_counter()
    with served_dashboard(state.root) as board:
        with _page(browser, board) as page:
            _draw_ours(page, board)
            cold = (time.perf_counter() - began) * 1000
        drawn, paints = [], []
        for _ in range(rounds):
            with _page(browser, board) as page:
                paints.append(float(page.evaluate(_PAINT)))
                drawn.append(_draw_ours(page, board))
        with _page(browser, board) as page:
            _draw_ours(page, board)
            updates = [_update(page, state, steps + number) for number in range(1, rounds + 1)]
            heap = _heap_mb(page)
        figures = Figures(cold, drawn, _resident_mb(board.process.pid), heap)
    more: dict[str, float] = {
        "list_paint_ms": round(statistics.median(paints)),
        "update_ms": round(statistics.median(updates)),
    }
    return figures, more


@contextmanager
def _page(browser: Browser, board: ServedDashboard) -> Iterator[Page]:
    """A page of a browser that has just been let in, with nothing in its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    try:
        page = context.new_page()
        page.goto(board.address)
        page.locator(".runs tbody tr").nth(49).wait_for()
        yield page
    finally:
        context.close()


def _draw_ours(page: Page, board: ServedDashboard) -> float:
    """Milliseconds until the loss of the long run is drawn."""
    began = time.perf_counter()
    page.goto(f"{board.base}/runs/{_LONG}")
    page.locator("#plots[data-points] .uplot canvas").first.wait_for(timeout=_DEADLINE_MS)
    return (time.perf_counter() - began) * 1000


def _update(page: Page, state: StateFolder, step: int) -> float:
    """Milliseconds from a new line of metrics until it is drawn."""
    event = {"t": time.time(), "event": "step", "step": step, "total_steps": 2 * step, "loss": 0.5}
    began = time.perf_counter()
    with (state.run(_LONG) / "metrics.jsonl").open("a") as metrics:
        metrics.write(json.dumps(event) + "\n")
    page.locator(f"#plots[data-points='{step}']").wait_for(timeout=_DEADLINE_MS)
    return (time.perf_counter() - began) * 1000


def measure_peer(browser: Browser, python: Path, events: str, steps: int, rounds: int) -> Figures:
    """TensorBoard: the same loss, cold and warm."""
    port = _free_port()
    argv = [str(python), "-m", "tensorboard.main", "--logdir", events, "--host", "127.0.0.1", "--port", str(port)]
    base = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_read(base, steps)
        _draw_peer(browser, base)
        cold = (time.perf_counter() - began) * 1000
        drawn = [_draw_peer(browser, base)[0] for _ in range(rounds)]
        heap = _draw_peer(browser, base)[1]
        return Figures(cold, drawn, sum(map(_resident_mb, _family(server.pid))), heap)
    finally:
        for pid in reversed(_family(server.pid)):
            os.kill(pid, 15)
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _draw_peer(browser: Browser, base: str) -> tuple[float, float]:
    """Milliseconds until the loss is drawn, and MB of the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    try:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(f"{base}/#timeseries")
        page.locator("scalar-card line-chart canvas, scalar-card line-chart svg path").first.wait_for(
            timeout=_DEADLINE_MS
        )
        return (time.perf_counter() - began) * 1000, _heap_mb(page)
    finally:
        context.close()


def _wait_until_read(base: str, steps: int) -> None:
    """Until TensorBoard has read the last step."""
    deadline = time.monotonic() + _DEADLINE_MS / 1000
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{base}/data/plugin/scalars/scalars?run=.&tag=loss", timeout=30) as answer:  # noqa: S310 - loopback
                points = json.load(answer)
        except (OSError, ValueError):
            points = []
        if points and points[-1][1] >= steps:
            return
        time.sleep(0.1)
    sys.exit(f"TensorBoard did not read {steps} points in time")


def _family(pid: int) -> list[int]:
    """A process and those that it started."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *(child for word in done.stdout.split() for child in _family(int(word)))]


def _resident_mb(pid: int) -> float:
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return float(done.stdout.strip() or 0) / 1024


def _heap_mb(page: Page) -> float:
    return float(page.evaluate("performance.memory.usedJSHeapSize")) / 1e6


if __name__ == "__main__":
    main()
