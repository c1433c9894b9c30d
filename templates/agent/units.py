"""The two systemd units of a rented machine: the agent, and the dead-man switch that works without it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from templates.agent import atomic
from templates.agent.system import call, system_path

if TYPE_CHECKING:
    from pathlib import Path

    from templates.agent.folder import RunFolder

AGENT = "llamalift-agent.service"
SWITCH = "llamalift-deadline"
# The agent itself acts at the deadline, with a checkpoint first; the switch is for when it cannot.
_SWITCH_AFTER_SECONDS = 120.0
# A machine that is started again after its deadline had its second chance by then.
_AFTER_BOOT = "20min"


def arm_switch(config: Path, archive: Path, deadline_at: float) -> None:
    """End this machine's compute at `deadline_at` (seconds since the epoch), whatever else goes wrong."""
    _write(f"{SWITCH}.service", _switch_service(config, archive))
    _write(f"{SWITCH}.timer", switch_timer(deadline_at))
    call("systemctl", "daemon-reload")
    call("systemctl", "enable", "--now", f"{SWITCH}.timer")


def start_agent(folder: RunFolder, workspace: Path, username: str) -> None:
    """Start the daemon now and at every boot, as `username`; systemd starts it again when it falls."""
    _write(AGENT, _agent_service(folder, workspace, username))
    call("systemctl", "daemon-reload")
    call("systemctl", "enable", "--now", AGENT)


def switch_timer(deadline_at: float) -> str:
    """At the deadline, then each minute: the client may have raised it, or Azure may not have listened.

    Also some time after each start: systemd makes up for a missed calendar event only once.
    """
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(deadline_at + _SWITCH_AFTER_SECONDS))
    return f"""\
[Unit]
Description=llamalift: end compute at the deadline

[Timer]
OnCalendar={when}
OnBootSec={_AFTER_BOOT}
OnUnitInactiveSec=60s
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def _switch_service(config: Path, archive: Path) -> str:
    return f"""\
[Unit]
Description=llamalift: end compute when the deadline is over

[Service]
Type=oneshot
ExecStart={sys.executable} {archive} end-compute --config {config}
"""


def _agent_service(folder: RunFolder, workspace: Path, username: str) -> str:
    # KillMode=process: the steps outlive the agent, which finds them again when it comes back.
    # OOMPolicy: one step killed for its memory is the agent's business, not systemd's.
    # The limits are for the steps: NCCL pins memory and opens many files.
    return f"""\
[Unit]
Description=llamalift: agent of run {folder.root.name}
RequiresMountsFor={workspace}
StartLimitIntervalSec=0

[Service]
User={username}
WorkingDirectory={folder.root}
ExecStart={sys.executable} {folder.root / "agent.pyz"} serve --run-dir {folder.root} --owns-machine
Restart=always
RestartSec=2
KillMode=process
OOMScoreAdjust=-900
OOMPolicy=continue
LimitMEMLOCK=infinity
LimitNOFILE=524288

[Install]
WantedBy=multi-user.target
"""


def _write(name: str, text: str) -> None:
    folder = system_path("/etc/systemd/system")
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(folder / name, text.encode())
