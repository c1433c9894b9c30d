"""Real DeepSpeed processes that save to scratch while a slow drain makes their checkpoints durable."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import newest_complete
from templates.training import exit_codes
from templates.training.scratch import newest_step
from tests.fakes.azurite import ACCOUNT, azurite
from tests.fakes.training_run import DEADLINE_SECONDS, FLAGS, STEPS, TrainingRun, children, wait_until_gone
from tests.fakes.written_checkpoints import steps_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

TWO_STEPS = [*FLAGS, "--llamalift_schedule", '{"first_interval": 2, "max_share": 1.0}', "--llamalift_keep", "2"]
# A checkpoint has some 20 MB: its drain takes several steps.
SLOW = "15e6"


def on_scratch(run: TrainingRun) -> list[str]:
    """The flags with scratch beside the run folder."""
    return [*TWO_STEPS, "--llamalift_scratch", str(scratch_of(run).parent)]


def scratch_of(run: TrainingRun) -> Path:
    """Its checkpoints on scratch."""
    return run.folder.parent / "scratch" / "checkpoints"


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], run: TrainingRun) -> None:
    """Wait for something that a running training does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert process.poll() is None, run.log()[-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def family(pid: int) -> list[int]:
    """Everything that a process has started, however deep."""
    found = list(children(pid))
    return found + [deeper for child in found for deeper in family(child)]


def drains_its_second(run: TrainingRun) -> bool:
    """A checkpoint is durable, and a newer one is on its way."""
    if not run.events("drained"):
        return False
    try:
        progress = json.loads((run.folder / "drain.json").read_text())
    except FileNotFoundError:
        return False
    is_newer = int(progress["step"]) > run.events("drained")[-1]["step"]
    return is_newer and 0 < int(progress["done_bytes"]) < int(progress["bytes"])


@pytest.fixture(scope="module")
def killed(machine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """A run that was killed, drain and all, while its second checkpoint was being drained."""
    run = TrainingRun.prepare(tmp_path_factory.mktemp("killed") / "run", machine_python, "zero2")
    process = run.start(on_scratch(run), LLAMALIFT_DRAIN_BYTES_PER_SECOND=SLOW)
    wait_until(lambda: drains_its_second(run), process, run)
    others = family(process.pid)
    process.kill()
    process.wait()
    wait_until_gone(others)
    return run


def assert_same_end(run: TrainingRun, whole: TrainingRun) -> None:
    """Every loss and the final weights, to the last bit."""
    assert run.curve() == whole.curve()
    assert run.digest() == whole.digest()


def copied(run: TrainingRun, folder: Path) -> TrainingRun:
    """The same run with its scratch in another folder."""
    shutil.copytree(run.folder.parent, folder)
    return TrainingRun(folder / "run", run.python)


def test_a_crash_goes_on_from_scratch(
    killed: TrainingRun, finished: Callable[[str], TrainingRun], tmp_path: Path
) -> None:
    """The machine is still there: nothing of what was saved is lost; the end is durable, and the same to the bit."""
    run = copied(killed, tmp_path / "same-machine")
    newest = newest_step(scratch_of(run))
    assert newest > newest_step(run.folder / "checkpoints") > 0
    assert run.train(on_scratch(run)) == 0, run.log()
    assert f"going on from checkpoint-{newest}" in run.notes()
    assert_same_end(run, finished("zero2"))
    assert newest_complete(run.folder / "checkpoints") == run.folder / "checkpoints" / f"checkpoint-{STEPS}"
    assert len(steps_in(run.folder / "checkpoints")) == 2
    assert steps_in(scratch_of(run)) == [STEPS]
    assert not [path for path in (run.folder / "checkpoints").glob(".draining-*") if path.is_dir()]


def test_a_lost_machine_goes_on_from_the_durable_one(
    killed: TrainingRun, finished: Callable[[str], TrainingRun], tmp_path: Path
) -> None:
    """Scratch is gone with it: the newest drained checkpoint is where it goes on; the end is the same to the bit."""
    run = copied(killed, tmp_path / "other-machine")
    shutil.rmtree(scratch_of(run))
    durable = newest_step(run.folder / "checkpoints")
    assert run.train(on_scratch(run)) == 0, run.log()
    assert f"going on from checkpoint-{durable}" in run.notes()
    assert_same_end(run, finished("zero2"))


def test_a_lost_disk_goes_on_from_the_mirror(
    killed: TrainingRun, finished: Callable[[str], TrainingRun], tmp_path: Path
) -> None:
    """Scratch and workspace are gone: the newest copy in blob storage is fetched; the end is the same to the bit."""
    run, url = copied(killed, tmp_path / "no-disk"), f"az://{ACCOUNT}/checkpoints/run"
    durable = run.folder / "checkpoints"
    step = newest_step(durable)
    with azurite(tmp_path / "azurite") as connection:
        words = ["--checkpoints", str(durable), "--mirror", url, "--once"]
        environment = {"PYTHONPATH": str(run.folder / "trainer.pyz"), "AZURE_STORAGE_CONNECTION_STRING": connection}
        subprocess.run([run.python, "-m", "templates.training.mirror", *words], env=environment, check=True)
        shutil.rmtree(scratch_of(run))
        shutil.rmtree(durable)
        flags = [*on_scratch(run), "--llamalift_mirror", url]
        assert run.train(flags, AZURE_STORAGE_CONNECTION_STRING=connection) == 0, run.log()
    assert f"checkpoint-{step} is fetched from {url}" in run.notes()
    assert f"going on from checkpoint-{step}" in run.notes()
    assert_same_end(run, finished("zero2"))


def test_asked_to_leave_it_waits_for_the_drain(machine_python: Path, tmp_path: Path) -> None:
    """What it saved last is durable before it leaves: the machine, and scratch with it, may go."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    process = run.start(on_scratch(run), LLAMALIFT_DRAIN_BYTES_PER_SECOND=SLOW)
    run.wait_for("step", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == exit_codes.CHECKPOINTED, run.log()
    left_at = run.events("step")[-1]["step"]
    assert left_at < STEPS
    assert newest_complete(run.folder / "checkpoints") == run.folder / "checkpoints" / f"checkpoint-{left_at}"
    (saved,) = [event for event in run.events("save") if event["step"] == left_at]
    (drained,) = [event for event in run.events("drained") if event["step"] == left_at]
    assert drained["bytes"] == saved["bytes"]
    assert drained["bytes_per_second"] <= float(SLOW)
    told = json.loads((run.folder / "drain.json").read_text())
    assert (told["step"], told["done_bytes"]) == (left_at, told["bytes"])
