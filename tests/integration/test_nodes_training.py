"""Two machines with a disk each train one model; one of them is killed and comes back."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest, newest_complete, read_manifest
from templates.training import exit_codes
from templates.training.node_files import FETCHED
from tests.fakes.training_run import DEADLINE_SECONDS, FLAGS, TrainingRun, children, wait_until_gone

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]


def _start(machines: list[TrainingRun], port: int, attempt: int) -> list[subprocess.Popen[bytes]]:
    """One process on each, as their agents would start them."""
    return [
        run.start(
            FLAGS, processes=1, LLAMALIFT_ATTEMPT=str(attempt),
            meeting=("--nnodes=2", f"--node_rank={number}", "--master_addr=127.0.0.1", f"--master_port={port}"),
        )
        for number, run in enumerate(machines)
    ]  # fmt: skip


def test_a_killed_machine_comes_back_to_the_same_bits(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """ZeRO-3 on two: one is killed, all stop, both go on from the last whole checkpoint to the same bits."""
    machines = [TrainingRun.prepare(tmp_path / f"machine-{one}", machine_python, "zero3") for one in (1, 2)]
    first, second = machines
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    processes = _start(machines, port, 1)
    first.wait_for("save", processes[0])
    workers = list(children(processes[1].pid))
    processes[1].kill()
    processes[1].wait()
    wait_until_gone(workers)
    assert processes[0].wait(DEADLINE_SECONDS) == exit_codes.COMMUNICATION, first.log()[-3000:]

    newest = newest_complete(first.folder / "checkpoints")
    assert newest is not None
    files = set(read_manifest(newest)["files"])
    assert {f"rng_state_{rank}.pth" for rank in (0, 1)} <= files
    assert sum(name.endswith("optim_states.pt") for name in files) == 2
    assert newest_complete(second.folder / "checkpoints") is None

    processes = _start(machines, port, 2)
    codes = [process.wait(DEADLINE_SECONDS) for process in processes]
    assert codes == [exit_codes.OK, exit_codes.OK], first.log()[-3000:] + second.log()[-3000:]
    assert f"going on from {newest.name}" in first.notes()
    assert check_manifest(first.folder / "final") == []
    # The other machine's agent sees that its step is done; the model and the checkpoints are on the first.
    assert second.marker("train") is not None
    assert [path.name for path in (second.folder / "checkpoints").iterdir()] == []
    assert list((second.folder / FETCHED).glob("*")) == []
    assert first.digest() == finished("zero3").digest()
