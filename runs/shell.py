"""The system's own `ssh`, told exactly whom to trust."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from runs.errors import RunError
from runs.facts import Rented
from runs.nodes import machine_of, no_such_machine
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.run import Run


def ssh_argv(run: Run, command: Sequence[str], machine: int = 1) -> list[str]:
    """What to execute for a shell, or for one command, on the run's machine.

    A machine that does not answer may not know this computer's new address: then port 22 is opened to that first.

    Args:
        run: The run.
        command: What to run there; nothing for a shell.
        machine: Which of several machines, from 1.

    Raises:
        RunError: There is no machine, or no `ssh` on this computer.
    """
    from runs.callers import follow_if_silent
    from runs.ssh_access import alias_of, write

    if shutil.which("ssh") is None:
        raise RunError("this computer has no OpenSSH client: ssh", hint="install it; `llamalift doctor` looks for it")
    with run.context() as context:
        if run.row.state is RunState.ENDED or context.get(Rented) is None:
            raise RunError(f"the run has no machine: {run.run_id}", hint=f"see `llamalift status {run.run_id}`")
        one = machine_of(context, machine)
        if one.get(Rented) is None:
            raise no_such_machine(context, machine)
        config = write(one)
        follow_if_silent(context)
    return ["ssh", "-F", str(config), alias_of(run.run_id), *command]
