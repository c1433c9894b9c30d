"""The whole journey as a user makes it: the installed command, the rehearsal cloud, real DeepSpeed processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from runs.facts import Curated
from runs.journal import Journal
from runs.state_folder import StateFolder
from tests.fakes.planted_run import PlantedRun, blind_spots

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.terminal import Terminal

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

GENERATE = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = AutoModelForCausalLM.from_pretrained(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[1])
ids = tokenizer("Below is an instruction", return_tensors="pt")
print(model.generate(**ids, max_new_tokens=5, do_sample=False).shape[1] - ids["input_ids"].shape[1])
"""


def project(terminal: Terminal, folder: Path, *, epochs: int | None = None) -> Path:
    """The demo's project; with `epochs`, a shorter one."""
    terminal.run("init", str(folder), "--recipe", "tiny-cpu")
    run_file = folder / "run.yaml"
    if epochs is not None:
        text = re.sub(r"num_train_epochs: \d+", f"num_train_epochs: {epochs}", run_file.read_text())
        run_file.write_text(text)
    return run_file


def test_up_ends_with_a_model_and_an_empty_bill(terminal: Terminal, tmp_path: Path, machine_python: Path) -> None:
    """The demo, curated and watched from another terminal; then a model that speaks, a receipt, and no process."""
    run_file = project(terminal, tmp_path / "demo")
    add_refusal(run_file)
    up = terminal.start("up", str(run_file))
    status = terminal.wait_for_step(2)
    run_id = status["row"]["run_id"]

    assert terminal.run("ssh", run_id, "--", "echo hello from $USER").stdout == "hello from llama\n"
    assert f"another client drives this run: process {up.pid}" in terminal.run("resume", run_id, expect=2).stderr
    followed = terminal.start("logs", "--follow", run_id)

    output, _ = up.communicate(timeout=600)
    assert up.returncode == 0, output
    log, _ = followed.communicate(timeout=60)
    losses = [float(loss) for loss in re.findall(r"'loss': '([\d.]+)'", log)]
    assert len(losses) >= 30
    assert sum(losses[-5:]) < sum(losses[:5])

    model = tmp_path / "demo" / "model"
    spoke = subprocess.run([machine_python, "-c", GENERATE, model], capture_output=True, text=True, check=True)
    assert int(spoke.stdout) >= 1
    assert (model / "MANIFEST.json").exists()
    check_curated(terminal, run_id, model)

    receipt = json.loads((terminal.state / "runs" / run_id / "receipt.json").read_text())
    kinds = {line["kind"] for line in receipt["resources"]}
    assert {"resource group", "virtual machine", "disk", "public IP", "network interface"} <= kinds
    assert all(line["confirmed_gone_at"] for line in receipt["resources"])
    assert "nothing is left" in output
    assert not list((terminal.state / "runs" / run_id).glob("id_ed25519*"))
    assert terminal.processes() == []
    assert terminal.run("logs", run_id).stdout == log
    assert terminal.json("ls")[0]["state"] == "ended"


def add_refusal(run_file: Path) -> None:
    """Plant an answer that the run's rules drop."""
    data = run_file.with_name("instructions.json")
    refusal = {
        "instruction": "What do you think?",
        "input": "",
        "output": "As an AI language model, I have no opinions.",
    }
    data.write_text(json.dumps([*json.loads(data.read_text()), refusal]))
    run_file.write_text(run_file.read_text().replace("\ndata:\n", "\ndata:\n  curate: [unfiltered, quality]\n"))


def check_curated(terminal: Terminal, run_id: str, model: Path) -> None:
    """The report came home with the model, and the journal has its fingerprint."""
    report = json.loads((model / "curation.json").read_text())
    assert (report["rows"], report["kept"]) == (286, 285)
    assert (model / "curation.html").exists()
    curated = Journal(StateFolder(terminal.state).journal).get(run_id, Curated)
    assert curated is not None
    marker = curated.markers["curate"]
    assert marker["fingerprint"] == report["fingerprint"]
    assert marker["dropped"] == {"speaks of itself as a model": 1}


def test_a_killed_client_is_resumed_to_the_same_end(terminal: Terminal, tmp_path: Path) -> None:
    """`kill -9` during training: the job goes on, and `resume` ends as if nothing had happened."""
    up = terminal.start("up", str(project(terminal, tmp_path / "demo", epochs=2)))
    before = terminal.wait_for_step(2)
    os.killpg(up.pid, signal.SIGKILL)
    up.wait()
    assert "not at home yet" in terminal.run("down", before["row"]["run_id"], expect=2).stderr

    resumed = terminal.run("resume", before["row"]["run_id"], seconds=600)
    assert "nothing is left" in resumed.stderr
    assert (tmp_path / "demo" / "model" / "MANIFEST.json").exists()
    after = terminal.json("status", before["row"]["run_id"])
    assert [stage["state"] for stage in after["stages"]] == ["done"] * 6
    # One machine, one job: the machine that trained before the kill is the one that finished.
    assert after["machine"]["vm_id"] == before["machine"]["vm_id"]
    log = terminal.run("logs", before["row"]["run_id"]).stdout
    assert log.count("'train_runtime'") == 1


def test_without_sshd_and_with_a_hub_the_journey_is_the_same(terminal: Terminal, tmp_path: Path) -> None:
    """The machine that needs nothing but pip fetches from a Hub that wants a token, trains, and gives its model home.

    Its job prints a secret; none of those that were planted is in anything that either side has written.
    """
    run_file = project(terminal, tmp_path / "demo", epochs=1)
    terminal.environment["LLAMALIFT_MACHINES"] = "in-process"
    planted = PlantedRun(terminal, run_file)
    planted.go()
    assert any("tiny/llama/resolve" in request for request in planted.requests)
    assert (tmp_path / "demo" / "model" / "MANIFEST.json").exists()
    assert planted.search.found == []
    assert planted.search.places > 100
    assert planted.printed
    assert blind_spots(planted.values) == []


def test_a_stopped_job_goes_on_from_its_checkpoint(terminal: Terminal, tmp_path: Path) -> None:
    """Stopped on the machine: the machine is deallocated; `resume` starts it again and trains only what is missing."""
    up = terminal.start("up", str(project(terminal, tmp_path / "demo", epochs=2)))
    run_id = terminal.wait_for_step(2)["row"]["run_id"]
    folder = f"/workspace/llamalift/{run_id}"
    terminal.run("ssh", run_id, "--", f"python3 {folder}/agent.pyz stop --run-dir {folder}")
    output, _ = up.communicate(timeout=120)
    assert up.returncode == 5, output
    assert "the machine was deallocated" in output

    terminal.run("resume", run_id, seconds=600)
    assert (tmp_path / "demo" / "model" / "MANIFEST.json").exists()
    # Two epochs of nine steps, each logged once: asked to leave it saved, and no step was trained twice.
    assert terminal.run("logs", run_id).stdout.count("'loss': ") == 18


def test_an_interruption_explains_itself(terminal: Terminal, tmp_path: Path) -> None:
    """Ctrl-C leaves the job running, says so, says how to come back, and exits with 130."""
    up = terminal.start("up", str(project(terminal, tmp_path / "demo", epochs=2)))
    terminal.wait_for_step(1)
    os.killpg(up.pid, signal.SIGINT)
    output, _ = up.communicate(timeout=60)
    assert up.returncode == 130
    run_id = terminal.run_id()
    assert "the job goes on by itself" in output
    assert f"llamalift resume {run_id}" in output
    assert terminal.json("status", run_id)["agent"]["phase"] == "running"


def test_a_job_that_cannot_work_ends_with_5_and_keeps_nothing_running(terminal: Terminal, tmp_path: Path) -> None:
    """A model that cannot be loaded: the reason is told, the machine is deallocated, `down` finishes it."""
    run_file = project(terminal, tmp_path / "demo", epochs=1)
    run_file.write_text(run_file.read_text().replace("train:\n", "train:\n  max_restarts: 1\n"))
    tokenizer = run_file.parent / "tiny-llama" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"model"', '"muddle"'))
    failed = terminal.run("up", str(run_file), expect=5, seconds=600)
    assert "training ended without a model" in failed.stderr
    assert "deallocated" in failed.stderr
    terminal.run("down", "--discard", terminal.run_id())


def test_a_run_goes_on_from_a_computer_that_never_saw_it(terminal: Terminal, tmp_path: Path) -> None:
    """Killed in training, and its state folder lost: `adopt` elsewhere, then `resume`, and the model comes there."""
    up = terminal.start("up", str(project(terminal, tmp_path / "demo", epochs=1)))
    run_id = terminal.wait_for_step(1)["row"]["run_id"]
    os.killpg(up.pid, signal.SIGKILL)
    up.wait()
    for file in terminal.state.glob("journal.sqlite*"):
        file.unlink()
    shutil.rmtree(terminal.state / "runs")
    shutil.rmtree(tmp_path / "demo")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    terminal.folder = elsewhere

    assert (
        "no such run: tiny-cpu-nobody"
        in terminal.run("adopt", "tiny-cpu-nobody", "--cloud", "rehearsal", expect=2).stderr
    )
    adopted = terminal.run("adopt", run_id, "--cloud", "rehearsal").stderr
    assert f"{run_id} adopted" in adopted
    assert str(elsewhere / f"{run_id}.yaml") in adopted
    before = terminal.json("status", run_id)
    assert before["agent"]["phase"] in {"running", "done"}
    assert "not at home yet" in terminal.run("down", run_id, expect=2).stderr

    assert "nothing is left" in terminal.run("resume", run_id, seconds=600).stderr
    assert (elsewhere / "model" / "MANIFEST.json").exists()
    # The same job on the same machine: nothing was trained twice.
    assert terminal.run("logs", run_id).stdout.count("'train_runtime'") == 1
