"""The dashboard as a server: who may look, how, and what a machine that is silent does to it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from runs.facts import Prepared, Rented, Trust
from runs.journal import Journal
from runs.run import Run
from runs.state_folder import StateFolder
from runs.watch import Watcher
from tests.fakes.agent_run import AgentRun, wait_for
from tests.fakes.served_dashboard import ServedDashboard, served_dashboard
from tests.fakes.ssh_machine import SshMachine, ssh_machine
from tests.fakes.told_runs import ToldRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Served:
    """A dashboard and the state folder that it shows."""

    board: ServedDashboard
    state: StateFolder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard of two runs."""
    state = StateFolder(tmp_path_factory.mktemp("state"))
    ToldRun(state, "wizard-aaaaaa", evicted=True, message="the loss is no number").write()
    ToldRun(state, "alpaca-bbbbbb", standing="finished").write()
    with served_dashboard(state.root) as board:
        yield Served(board, state)


def test_without_the_token_nothing_is_shown(served: Served) -> None:
    """Neither a page nor an asset without a key; a wrong token is none."""
    for path in ("/", "/list", "/runs/wizard-aaaaaa/log", "/assets/dashboard.js", "/?token=wrong", "/no-such-page"):
        answer, body = served.board.ask(path)
        assert answer.status == 401, path
        assert b"wizard" not in body


def test_the_token_becomes_a_cookie(served: Served) -> None:
    """The token is in the address once; the cookie is for this site and no script, and the address loses it."""
    answer, _ = served.board.ask(served.board.address.removeprefix(served.board.base) + "&state=failed")
    assert (answer.status, answer.getheader("location")) == (303, "/?state=failed")
    cookie = (answer.getheader("set-cookie") or "").lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert served.board.get("/")[0].status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_foreign_name_is_refused(served: Served, host: str) -> None:
    """DNS rebinding: a page of another site that reaches us under its own name gets nothing, even with the cookie."""
    answer, body = served.board.get("/", Host=host)
    assert answer.status == 400
    assert b"wizard" not in body


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "[::1]:8642"])
def test_a_forwarded_port_is_welcome(served: Served, host: str) -> None:
    """Through `ssh -L` the port is another one; this computer's own names stay good."""
    answer, _ = served.board.ask("/", {"Host": host})
    assert answer.status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_shows(served: Served, method: str) -> None:
    """There is no request that changes anything, and none that another site may ask about (CORS)."""
    answer, _ = served.board.ask("/", {"cookie": served.board.cookie()}, method)
    assert answer.status == 405
    assert answer.getheader("access-control-allow-origin") is None


def test_another_sites_script_is_refused(served: Served) -> None:
    """A script or picture of another site gets nothing; a link that a person follows is fine."""
    asked = served.board.get("/list", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")
    followed = served.board.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert (asked[0].status, followed[0].status) == (403, 200)


def test_every_answer_is_strict(served: Served) -> None:
    """No inline script, no frame, no guessing of types, nothing kept: on pages, data, assets and refusals alike."""
    for path in ("/", "/runs/wizard-aaaaaa/curves", "/assets/dashboard.css", "/nowhere"):
        answer, _ = served.board.get(path)
        policy = answer.getheader("content-security-policy") or ""
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert answer.getheader("referrer-policy") == "no-referrer"


def test_nothing_is_sent_twice(served: Served) -> None:
    """A part that has not changed is a 304 without a body."""
    for path in ("/runs/alpaca-bbbbbb/live", "/runs/alpaca-bbbbbb/curves", "/runs/alpaca-bbbbbb/log"):
        first, _ = served.board.get(path)
        again, body = served.board.get(path, If_None_Match=first.getheader("etag") or "")
        assert (again.status, body) == (304, b""), path


def test_a_beginning_of_an_id_leads_to_the_run(served: Served) -> None:
    """As in every command; what is no run is told as such."""
    assert served.board.get("/runs/wiz")[0].getheader("location") == "/runs/wizard-aaaaaa"
    assert served.board.get("/runs/nothing")[0].status == 404


@pytest.mark.parametrize("page", ["0", "-1", "x", "nan", "1e400", "999999999999"])
def test_odd_pages_are_answered(served: Served, page: str) -> None:
    """Whatever stands in the address, a page comes."""
    assert served.board.get(f"/list?page={page}")[0].status == 200
    assert served.board.get(f"/runs/wizard-aaaaaa/curves?pieces={page}&first={page}&training={page}")[0].status == 200


def test_the_key_is_private(served: Served) -> None:
    """What browsers keep lies in a file that nobody else may read, and the token in none."""
    file = served.state.root / "dashboard.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = served.board.address.partition("token=")[2].encode()
    assert not [found for found in served.state.root.rglob("*") if found.is_file() and token in found.read_bytes()]


def test_it_ends_with_ctrl_c(tmp_path: Path) -> None:
    """At once and without complaint, also for an empty state folder; a port that is taken is a usage error."""
    with served_dashboard(tmp_path) as board:
        assert b"No runs yet" in board.get("/")[1]
        taken = subprocess.run(
            [sys.executable, "-c", "from cli.app import main; main()", "dashboard", "--port", str(board.port)],
            env=os.environ | {"LLAMALIFT_STATE_DIR": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        board.end()
        assert board.process.returncode == 0
    assert taken.returncode == 2
    assert "the port is taken" in taken.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["dashboard.key"]


def test_a_silent_machine_blocks_nothing(served: Served) -> None:
    """A machine that does not answer is told as that, with its reason, while every page comes at once."""
    run_id = "silent-cccccc"
    ToldRun(served.state, run_id).write()
    journal = Journal(served.state.journal)
    journal.put(run_id, Rented("/vm", "127.0.0.1", 9, "llama", "eastus", None))
    journal.put(run_id, Trust("", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4Vd1tQ9uQ0o0xvYxB2q0bqgU1m9Z4l7m3y1cTq0f5K"))
    journal.put(run_id, Prepared("/workspace", "python3"))

    def told() -> bool:
        began = time.monotonic()
        _, body = served.board.get(f"/runs/{run_id}/live")
        assert time.monotonic() - began < 5
        return b"The machine does not answer" in body

    wait_for(told, "the page says that the machine is silent", 40)


def test_a_machine_is_heard_over_one_connection(tmp_path: Path) -> None:
    """While somebody looks, what the machine has more comes over one kept connection; then it is closed."""
    with ssh_machine(tmp_path / "machine") as machine:
        agent = AgentRun.create(machine.workspace)
        try:
            run = _run_on(machine, StateFolder(tmp_path / "state"))
            agent.start()
            agent.submit(agent.python_step("import time; time.sleep(600)"))
            agent.wait_for_phase("running")
            _look_on(run, agent, machine)
        finally:
            agent.close()


def _look_on(run: Run, agent: AgentRun, machine: SshMachine) -> None:
    copy = run.folder / "metrics.jsonl"
    with Watcher() as watcher:

        def is_home(step: int) -> bool:
            heard = watcher.heard(run, every_seconds=0.05)
            return heard.at is not None and copy.exists() and f'"step": {step}' in copy.read_text()

        for step in (1, 2, 3):
            with (agent.root / "metrics.jsonl").open("a") as told:
                told.write(json.dumps({"t": time.time(), "event": "step", "step": step, "loss": 2.0}) + "\n")
            wait_for(partial(is_home, step), f"step {step} is at home", 30)
            assert len(machine.session_pids()) <= 1
        heard = watcher.heard(run, every_seconds=0.05)
        assert heard.agent is not None
        assert heard.agent.phase == "running"
    wait_for(lambda: not machine.session_pids(), "the connection is closed", 20)


def test_looking_does_not_keep_an_idle_machine(tmp_path: Path) -> None:
    """A machine whose job is over is asked once and then left alone: a page left open must not cost its idle limit."""
    with ssh_machine(tmp_path / "machine") as machine:
        agent = AgentRun.create(machine.workspace)
        try:
            run = _run_on(machine, StateFolder(tmp_path / "state"))
            agent.start()
            agent.submit(agent.python_step("mark()"))
            agent.wait_for_phase("done")
            with Watcher() as watcher:
                wait_for(lambda: watcher.heard(run, every_seconds=0.0).at, "the machine was heard", 30)
                seen = (agent.root / "client-seen").stat().st_mtime_ns
                for _ in range(50):
                    assert not watcher.heard(run, every_seconds=0.0).asking
                assert (agent.root / "client-seen").stat().st_mtime_ns == seen
        finally:
            agent.close()


def _run_on(machine: SshMachine, state: StateFolder) -> Run:
    ToldRun(state, "demo-abc234", steps=0).write()
    (state.run("demo-abc234") / "metrics.jsonl").unlink()
    (state.run("demo-abc234") / "train.log").unlink()
    run = Run.open("demo-abc234", state=state)
    end = machine.endpoint
    shutil.copy2(end.key_file, run.folder / "id_ed25519")
    run.journal.put(run.run_id, Rented("/vm", end.host, end.port, end.username, "eastus", None))
    run.journal.put(run.run_id, Trust("", end.host_keys[0]))
    run.journal.put(run.run_id, Prepared(str(machine.workspace), "python3"))
    return run
