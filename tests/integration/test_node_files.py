"""Checkpoints travel between machines with several ranks each: real processes over gloo, files of every shape."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from templates.training import exit_codes
from templates.training.node_files import FETCHED
from tests.fakes.training_run import DEADLINE_SECONDS, TrainingRun

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(300)]

# Each rank writes as DeepSpeed and the Trainer do; then all merge, the first one adds its own, and all fetch.
PROGRAM = """
import json, os, types
from pathlib import Path
import torch.distributed as dist
from templates.training import node_files
from templates.training.ranks import Ranks
from templates.training.save_guard import SaveGuard

node_files._CHUNK_BYTES = 1000
dist.init_process_group("gloo")
ranks, root = Ranks(), Path.cwd()
guard = SaveGuard(root / "checkpoints" / ".staging-checkpoint-3")
written = guard.folder / "checkpoint-3"
shards = written / "global_step3"
if ranks.is_leader:
    shards.mkdir(parents=True)
ranks.barrier()
rank = ranks.rank
(shards / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt").write_bytes(bytes([rank]) * (2500 + rank))
(written / f"rng_state_{rank}.pth").write_bytes(b"" if rank == 3 else bytes([rank]))
if ranks.is_first:
    (written / "trainer_state.json").write_text("{}")
    (written / "model.safetensors").write_bytes(b"weights")
elif ranks.is_leader:
    (written / "trainer_state.json").write_text("not the first one's")
ranks.barrier()
node_files.gather(ranks, written, guard)
assert guard.error is None
assert ranks.is_first or not guard.folder.exists() or ranks.here > rank
checkpoint = root / "checkpoints" / "checkpoint-3"
if ranks.is_first:
    written.rename(checkpoint)
folders = types.SimpleNamespace(markers=root / "markers")
run = types.SimpleNamespace(ranks=ranks, folders=folders)
found = node_files.fetch(run, ranks.first(lambda: checkpoint))
(root / f"rank-{rank}.json").write_text(json.dumps(str(found)))
node_files.with_marker(run, 0)
ranks.barrier()
"""
SHARD = "global_step3/zero_pp_rank_{}_mp_rank_00_optim_states.pt"


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.stat().st_size}


def test_two_machines_with_two_ranks_each(machine_python: Path, tmp_path: Path) -> None:
    """The first machine has all four shards, the first rank's files count; the other gets back what it reads."""
    machines = [TrainingRun.prepare(tmp_path / f"machine-{one}", machine_python, "zero3") for one in (1, 2)]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    processes = []
    for number, run in enumerate(machines):
        (run.folder / "program.py").write_text(PROGRAM)
        meeting = ("--nnodes=2", f"--node_rank={number}", "--master_addr=127.0.0.1", f"--master_port={port}")
        processes.append(run.start((), module="program", meeting=meeting))
    codes = [process.wait(DEADLINE_SECONDS) for process in processes]
    first, second = machines
    assert codes == [exit_codes.OK, exit_codes.OK], first.log() + second.log()

    whole, copy = first.folder / "checkpoints" / "checkpoint-3", second.folder / FETCHED / "checkpoint-3"
    common = {"trainer_state.json", "model.safetensors"}
    assert _files(whole) == {*common, *(SHARD.format(rank) for rank in range(4)), *_random_states(0, 1, 2)}
    assert (whole / "rng_state_3.pth").exists()
    assert (whole / SHARD.format(3)).read_bytes() == bytes([3]) * 2503
    assert (whole / "trainer_state.json").read_text() == "{}"
    assert _files(copy) == {"trainer_state.json", *(SHARD.format(rank) for rank in (2, 3)), *_random_states(2)}
    assert (copy / SHARD.format(2)).read_bytes() == bytes([2]) * 2502
    told = [json.loads((run.folder / f"rank-{rank}.json").read_text()) for run, rank in _ranks(machines)]
    assert told == [str(whole), str(whole), str(copy), str(copy)]
    assert second.marker("train") is not None
    assert first.marker("train") is None


def _random_states(*ranks: int) -> set[str]:
    return {f"rng_state_{rank}.pth" for rank in ranks}


def _ranks(machines: list[TrainingRun]) -> list[tuple[TrainingRun, int]]:
    return [(machines[rank // 2], rank) for rank in range(4)]
