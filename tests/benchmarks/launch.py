"""How long a launch takes until SSH answers, against the longest path of what must be made.

The rehearsal cloud is given Azure's own times (`tests.fakes.azure_times`); the launch is the real one, over HTTPS and
SSH, polling as on Azure. Peer, in the same run: the same resources made one after another, as a script does it with the
SDK as it comes. Before, one launch that is not measured warms the emulator up. `--quick` lets everything take an eighth
of its time, polling included; what this computer does itself does not get faster by that, so the ratio is higher.
Last line: {"ratio_to_critical_path": x, "ratio_to_sequential": x, "arm_writes": n, "arm_reads": n, ...}.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.azure.cloud import AzureCloud
from provisioning.azure.endpoint import AZURE_POLL_SECONDS
from provisioning.azure.naming import Names
from provisioning.azure.stack import Stack
from provisioning.rehearsal.arm.latencies import NONE, Latencies
from provisioning.rehearsal.cloud import rehearsal_endpoint
from provisioning.rehearsal.service import change_settings, ensure_running, logged_requests, stop_if_empty
from remote.keys import HostKey, ensure_user_key, generate_host_key
from remote.session import Session
from remote.types import Endpoint
from templates.cloud_init import CloudInitValues, render_cloud_init
from tests.fakes.azure_times import MEDIANS, launch_graph, longest_path
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import machine_request, silent
from tests.fakes.sequential_launch import launch_in_sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

_QUICK_SCALE = 0.125
_SSH_SECONDS = 120.0
# A machine whose agent ends at once: only its door is waited for.
_NO_AGENT = b"raise SystemExit(0)\n"


@dataclass(frozen=True, slots=True)
class Launch:
    """What one launch took.

    Attributes:
        seconds: From the first call to a signed-in SSH session.
        writes: Calls that change something.
        reads: All others, without signing in.
    """

    seconds: float
    writes: int
    reads: int


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="an eighth of the time")
    scale = _QUICK_SCALE if parser.parse_args().quick else 1.0
    with tempfile.TemporaryDirectory() as folder:
        handle = ensure_running(Path(folder) / "state")
        try:
            # In another process: this one shall be as cold as a command that begins.
            subprocess.run([sys.executable, "-m", "tests.fakes.warm_up", str(Path(folder) / "state")], check=True)
            ours, peer, path_seconds = compare(handle, Path(folder), scale)
        finally:
            stop_if_empty(handle)
    print(f"{'':<12}{'seconds':>9}{'writes':>8}{'reads':>7}")
    for name, launch in (("llamalift", ours), ("in sequence", peer)):
        print(f"{name:<12}{launch.seconds:>9.1f}{launch.writes:>8}{launch.reads:>7}")
    figures = {
        "ratio_to_critical_path": round(ours.seconds / path_seconds, 3),
        "ratio_to_sequential": round(ours.seconds / peer.seconds, 3),
        "arm_writes": ours.writes,
        "arm_reads": ours.reads,
        "sequential_writes": peer.writes,
        "sequential_reads": peer.reads,
        "seconds": round(ours.seconds, 2),
        "critical_path_seconds": round(path_seconds, 2),
        "sequential_ratio_to_critical_path": round(peer.seconds / path_seconds, 3),
        "time_scale": scale,
    }
    print(json.dumps(figures))


def compare(handle: EmulatorHandle, folder: Path, scale: float) -> tuple[Launch, Launch, float]:
    """Our launch, the peer's, and the seconds of the longest path, which is printed."""
    times = replace(MEDIANS, scale=scale)
    endpoint = replace(rehearsal_endpoint(handle), poll_seconds=AZURE_POLL_SECONDS * scale)
    cloud = AzureCloud(endpoint)
    user_key, host_key = ensure_user_key(folder / "keys"), generate_host_key()
    request = request_of(cloud, user_key.public_line, host_key)
    path_seconds = show_graph(Stack.of(request, Names("", request.run_id)), times)
    sequential = replace(request, run_id="sequential-1")

    def ours() -> Endpoint:
        machine = cloud.provision(request, MemoryLedger(), silent)
        keys = (host_key.public_line,)
        return Endpoint(machine.address, machine.ssh_port, request.admin_username, user_key.private_file, keys)

    def peer() -> Endpoint:
        address = launch_in_sequence(endpoint, sequential, scale=scale)
        keys, port = (host_key.public_line,), endpoint.ssh_port(address)
        return Endpoint(address, port, request.admin_username, user_key.private_file, keys)

    change_settings(handle, latencies=asdict(times))
    try:
        return timed(handle, ours), timed(handle, peer), path_seconds
    finally:
        change_settings(handle, latencies=asdict(NONE))
        for run_id in (request.run_id, sequential.run_id):
            cloud.destroy(run_id, [], MemoryLedger(), silent)
        cloud.close()


def request_of(cloud: AzureCloud, public_line: str, host_key: HostKey) -> MachineRequest:
    """A machine that lets us in, with everything that a launch makes."""
    request = machine_request(cloud)
    instructions = CloudInitValues(
        username=request.admin_username,
        ssh_public_key=public_line,
        host_private_key=host_key.private_pem,
        host_public_key=host_key.public_line,
        run_json="{}",
        agent_zipapp=_NO_AGENT,
    )
    return replace(
        request,
        ssh_public_key=public_line,
        custom_data=render_cloud_init(instructions),
        shutdown_at=datetime.now(UTC) + timedelta(hours=3),
    )


def timed(handle: EmulatorHandle, launch: Callable[[], Endpoint]) -> Launch:
    """Launch, sign in, and count what the cloud was asked meanwhile."""
    last = max((one.number for one in logged_requests(handle)), default=0)
    began = time.monotonic()
    Session.connect(launch(), deadline_seconds=_SSH_SECONDS).close()
    seconds = time.monotonic() - began
    calls = [one for one in logged_requests(handle, last) if not one.path.startswith(f"/{handle.tenant_id}/")]
    writes = sum(one.method not in {"GET", "HEAD"} for one in calls)
    return Launch(seconds, writes, len(calls) - writes)


def show_graph(stack: Stack, times: Latencies) -> float:
    """Print what must be made after what, and the longest path; returns its seconds."""
    nodes = launch_graph(stack, times)
    for node in nodes:
        print(f"{node.name:<24}{node.seconds:>7.2f} s  after {', '.join(node.needs) or 'nothing'}")
    chain, seconds = longest_path(nodes)
    print(f"longest path {seconds:.2f} s: {' > '.join(node.name for node in chain)}")
    return seconds


if __name__ == "__main__":
    main()
