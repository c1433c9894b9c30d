"""A ten-second check under torchrun, before data is sent: every GPU takes part in an all-reduce, and the sum is right.

Rank 0 prints one JSON line: `{"backend", "ranks", "devices", "gigabytes_per_second", "seconds"}`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import time

import torch
import torch.distributed as dist

_ROUNDS = 5
_TIMEOUT = dt.timedelta(seconds=60)


def main() -> None:
    """Check this rank's part; a wrong sum or a missing GPU ends it with an error."""
    options = _parser().parse_args()
    began = time.monotonic()
    rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    device = torch.device("cpu")
    if options.backend == "nccl":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    dist.init_process_group(options.backend, timeout=_TIMEOUT)
    speed = _all_reduce(device, options.mebibytes * 2**20 // 4)
    if rank == 0:
        _report(options.backend, device, speed, time.monotonic() - began)
    dist.destroy_process_group()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=("nccl", "gloo"), default="nccl")
    parser.add_argument("--mebibytes", type=int, default=256, help="size of the reduced tensor")
    return parser


def _all_reduce(device: torch.device, count: int) -> float:
    """Reduce a tensor of `count` floats a few times; returns the bus bandwidth in GB/s (nccl-tests' definition)."""
    ranks, rank = dist.get_world_size(), dist.get_rank()
    tensor = torch.empty(count, dtype=torch.float32, device=device)
    fastest = float("inf")
    for _ in range(_ROUNDS):
        tensor.fill_(rank + 1)
        dist.barrier()
        began = time.monotonic()
        dist.all_reduce(tensor)
        expected = ranks * (ranks + 1) / 2
        # Reading a value back waits for the GPU.
        wrong = int((tensor != expected).sum().item())
        fastest = min(fastest, time.monotonic() - began)
        if wrong:
            sys.exit(f"rank {rank}: {wrong} of {count} sums are wrong on {device}")
    return 2 * (ranks - 1) / ranks * count * 4 / fastest / 1e9


def _report(backend: str, device: torch.device, speed: float, seconds: float) -> None:
    ranks = dist.get_world_size()
    devices = (
        [torch.cuda.get_device_name(index) for index in range(ranks)] if device.type == "cuda" else ["cpu"] * ranks
    )
    facts = {
        "backend": backend,
        "ranks": ranks,
        "devices": devices,
        "gigabytes_per_second": round(speed, 2),
        "seconds": round(seconds, 2),
    }
    print(json.dumps(facts), flush=True)  # noqa: T201 - the client reads it over SSH


if __name__ == "__main__":
    main()
