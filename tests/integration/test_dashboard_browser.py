"""The dashboard in a real browser: what is seen, what the keys do, what hostile text can do, and what stays current."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from runs.state_folder import StateFolder
from tests.conftest import ROOT
from tests.fakes.served_dashboard import ServedDashboard, chromium, served_dashboard
from tests.fakes.told_runs import ToldRun, write_metrics, write_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, ViewportSize

# A busy computer is no fault of the page.
expect.set_options(timeout=15_000)
AXE = ROOT / ".work" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RUN = "wizardlm-7b-k3m9qp"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> <script>document.title='hacked'</script> \u202eevil {{7*7}}"
DESKTOP: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 360, "height": 780}
Scheme = Literal["light", "dark"]


@dataclass(slots=True)
class Seen:
    """A browser before a dashboard; `complaints` is what its console said against the page."""

    board: ServedDashboard
    state: StateFolder
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    def look(self, path: str = "/", *, size: ViewportSize = DESKTOP, scheme: Scheme = "light") -> Page:
        """A page of somebody who has just opened the address."""
        context = self.browser.new_context(viewport=size, color_scheme=scheme)
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.board.address)
        if path != "/":
            page.goto(self.board.base + path)
        expect(page.locator("#contact")).to_have_text("live")
        return page


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A dashboard of 61 runs, one of which says hostile things."""
    state = StateFolder(tmp_path_factory.mktemp("state"))
    ToldRun(state, RUN, steps=300, evicted=True, message=HOSTILE).write()
    ToldRun(state, "alpaca-tiny-zz81ka", steps=90, hours_ago=9, standing="failed", message="out of memory").write()
    write_runs(
        state, [ToldRun(state, f"sweep-{n:06}", hours_ago=20 + n, standing="finished") for n in range(59)]
    )  # fmt: skip
    with served_dashboard(state.root) as board, chromium() as browser:
        yield Seen(board, state, browser)


@pytest.fixture(autouse=True)
def _calm(seen: Seen) -> Iterator[None]:
    """Whatever a test does: the console has nothing against the page, its policy included."""
    seen.complaints.clear()
    yield
    for context in seen.browser.contexts:
        context.close()
    assert not seen.complaints


def test_the_list_is_searched_and_chosen_from(seen: Seen) -> None:
    """All runs, a page at a time; a word or a standing narrows them while one types."""
    page = seen.look()
    rows = page.locator(".runs tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text(RUN)
    expect(rows.first.locator(".badge")).to_have_text("running")
    page.get_by_role("link", name="older").click()
    expect(rows).to_have_count(11)
    page.locator("#search").fill("alpaca")
    expect(rows).to_have_count(1)
    page.locator("#search").fill("")
    page.get_by_text("failed", exact=True).first.click()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("alpaca-tiny")
    assert "token" not in page.url


def test_keys_are_enough(seen: Seen) -> None:
    """From the list into a run, through its parts, into its log and back, without a mouse."""
    page = seen.look()
    page.keyboard.press("/")
    page.keyboard.type("wizard")
    expect(page.locator(".runs tbody tr")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{seen.board.base}/runs/{RUN}")
    expect(page.locator("#contact")).to_have_text("live")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#timeline-title")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#curves-title")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("'step': 42}")
    expect(page.locator("#log-lines mark")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page).to_have_url(f"{seen.board.base}/")


def test_an_open_page_follows_the_training(seen: Seen) -> None:
    """A new line of metrics and a new line of log appear by themselves; what the reader does stays."""
    page = seen.look(f"/runs/{RUN}")
    expect(page.locator("#plots")).to_have_attribute("data-points", "300")
    page.evaluate("window.same = true")
    page.locator("#events summary").click()
    folder = seen.state.run(RUN)
    event = {"t": time.time(), "event": "step", "step": 301, "total_steps": 1288, "loss": 0.4321, "learning_rate": 1e-5}
    with (folder / "metrics.jsonl").open("a") as metrics, (folder / "train.log").open("a") as log:
        metrics.write(json.dumps(event) + "\n")
        log.write("a line that is new\n")
    expect(page.locator("#plots")).to_have_attribute("data-points", "301")
    expect(page.locator(".tile").first).to_contain_text("301 of 1,288")
    expect(page.locator("#log-lines")).to_contain_text("a line that is new")
    expect(page.locator("#plots .canvas").first).to_have_attribute(
        "aria-label", "Loss: 2.1 at step 1, 0.4321 at step 301"
    )
    assert page.evaluate("window.same && document.getElementById('events').open")
    assert page.locator(".uplot canvas").count() == 3


def test_hostile_text_is_text(seen: Seen) -> None:
    """What a machine says is shown letter by letter, and does nothing; nor does a script that got into the page."""
    page = seen.look(f"/runs/{RUN}")
    expect(page.locator(".faults").first).to_contain_text("<script>document.title='hacked'</script>")
    expect(page.locator("#log-lines")).to_contain_text("<img src=x onerror=")
    assert "\u202e" not in page.content()
    page.locator("#search").fill("<img")
    expect(page.locator("#log-lines mark")).to_have_text("<img")
    assert page.locator("main img, main script").count() == 0
    page.evaluate(
        "{const s = document.createElement('script'); s.text = 'document.title=`hacked`'; document.body.append(s)}"
    )
    assert "hacked" not in page.title()
    # That one was ours, and the policy said no.
    assert len(seen.complaints) == 1
    assert "Content Security Policy" in seen.complaints.pop()


def test_a_page_goes_on_after_a_restart(tmp_path_factory: pytest.TempPathFactory, seen: Seen) -> None:
    """While the dashboard is away the page says so and keeps what it has; afterwards it is current again, by itself."""
    state = StateFolder(tmp_path_factory.mktemp("restarted"))
    ToldRun(state, RUN, steps=5).write()
    with served_dashboard(state.root) as board:
        page = Seen(board, state, seen.browser).look()
        port = board.port
    contact = page.locator("#contact")
    expect(contact).to_contain_text("does not answer; shown is from")
    expect(page.locator(".runs tbody tr")).to_have_count(1)
    ToldRun(state, "second-aaaaaa", steps=5).write()
    with served_dashboard(state.root, port=port):
        expect(contact).to_have_text("live")
        expect(page.locator(".runs tbody tr")).to_have_count(2)


def test_light_and_dark(seen: Seen) -> None:
    """The system's theme at first; the other one by a key, which stays for the next page."""
    ground = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    themes: tuple[tuple[Scheme, bool], ...] = (("light", True), ("dark", False))
    for scheme, is_light in themes:
        page = seen.look(scheme=scheme)
        assert (page.evaluate(ground) > 128) is is_light
        page.keyboard.press("t")
        assert (page.evaluate(ground) > 128) is not is_light
        page.reload()
        assert (page.evaluate(ground) > 128) is not is_light


@pytest.mark.parametrize("path", ["/", f"/runs/{RUN}"])
def test_a_phone_is_wide_enough(seen: Seen, path: str) -> None:
    """At 360 pixels nothing has to be scrolled sideways, and nothing is cut off."""
    page = seen.look(path, size=PHONE)
    if path != "/":
        expect(page.locator(".uplot").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", f"/runs/{RUN}", "/runs/no-such-run"])
def test_everybody_can_use_it(seen: Seen, path: str, scheme: Scheme) -> None:
    """Axe finds nothing serious: names, roles, contrast, focus; in light and dark, with the help open, too."""
    if not AXE.exists():
        if os.environ.get("CI"):
            pytest.fail("axe is not installed, and CI must not skip this")
        pytest.skip("needs axe-core: `make axe`")
    if "no-such" in path:
        page = seen.look(scheme=scheme)
        page.goto(seen.board.base + path)
        seen.complaints.clear()  # the browser notes the 404
    else:
        page = seen.look(path, scheme=scheme)
    page.evaluate(AXE.read_text())
    for _ in range(2):
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [v for v in found["violations"] if v["impact"] in {"serious", "critical"}]
        assert not [(v["id"], [node["html"] for node in v["nodes"]]) for v in serious]
        page.keyboard.press("?")


def test_200_000_points_are_drawn(seen: Seen) -> None:
    """A run of 200,000 logged steps: as many points as pixels, all of it or a part that was dragged over."""
    run_id = "long-run-llllll"
    ToldRun(seen.state, run_id, steps=0).write()
    write_metrics(seen.state.run(run_id) / "metrics.jsonl", 200_000, 200_000, begun=time.time() - 9e5, step_seconds=4)
    page = seen.look(f"/runs/{run_id}")
    plots = page.locator("#plots")
    expect(plots).to_have_attribute("data-points", "200000", timeout=30_000)
    over = page.locator(".u-over").first
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=4)
    with page.expect_response(lambda answer: "first=" in answer.url) as asked:
        page.mouse.up()
    curve = asked.value.json()["curves"]["loss"]
    assert 1000 < len(curve["x"]) < 2500
    assert 95_000 < curve["x"][0] < curve["x"][-1] < 125_000
