"""Local machines: what the rehearsal cloud "boots" instead of a virtual machine.

A real SSH server with its own disk, home, host key, console log and, in the sandbox, its own process space. Two ways,
chosen by what this computer has: OpenSSH's sshd inside bubblewrap, or an SSH server of our own in one process.
"""

from provisioning.rehearsal.machines.local import boot, describe_ways, end_leftovers, is_alive, stop
from provisioning.rehearsal.machines.scripts import ScriptResult, run_script
from provisioning.rehearsal.machines.spec import LocalMachineSpec, MachineKind, RunningMachine, WayOfBooting

__all__ = [
    "LocalMachineSpec",
    "MachineKind",
    "RunningMachine",
    "ScriptResult",
    "WayOfBooting",
    "boot",
    "describe_ways",
    "end_leftovers",
    "is_alive",
    "run_script",
    "stop",
]
