"""`/etc` of a sandboxed machine: its own accounts, names and sshd settings; the rest as on the host."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioning.rehearsal.machines.disk import MachineDisk
    from provisioning.rehearsal.machines.spec import LocalMachineSpec

_NEVER_FROM_HOST = frozenset(
    {"gshadow", "gshadow-", "passwd-", "group-", "shadow", "shadow-", "ssh", "sudoers", "sudoers.d"}
)


def write_etc(spec: LocalMachineSpec, disk: MachineDisk, environment: Mapping[str, str], user_id: int) -> None:
    """Write the files that must differ from the host's."""
    home, shell = environment["HOME"], environment["SHELL"]
    files = {
        # "x" and no shadow file: without PAM, "*" or "!" would count as a locked account.
        "passwd": f"root:x:0:0:root:/root:/bin/sh\n{spec.username}:x:{user_id}:{user_id}::{home}:{shell}\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        # No group "tty": sshd would hand a terminal to it, and the machine's user is in one group only.
        "group": f"root:x:0:\n{spec.username}:x:{user_id}:\nnogroup:x:65534:\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "hostname": f"{spec.name}\n",
        "hosts": f"127.0.0.1 localhost\n{spec.address} {spec.name}\n::1 localhost\n",
        "ssh/sshd_config": _sshd_config(spec, environment),
    }
    for name, text in files.items():
        (disk.root / "etc" / name).write_text(text)
    # It may hold a package index with a password.
    (disk.ssh_folder / "sshd_config").chmod(0o600)


def host_etc_entries(disk: MachineDisk) -> Iterator[tuple[str, str]]:
    """The host's files that the machine shares, as (source, target)."""
    for entry in sorted(Path("/etc").iterdir()):
        mine = disk.root / "etc" / entry.name
        if entry.name in _NEVER_FROM_HOST or _is_own(mine):
            continue
        if not entry.is_symlink():
            yield str(entry), str(entry)
        elif entry.resolve().is_relative_to("/run"):
            # Such as systemd's resolv.conf, behind the machine's own /run.
            if entry.is_file():
                shutil.copyfile(entry, mine)
        else:
            mine.symlink_to(entry.readlink())


def _is_own(path: Path) -> bool:
    """Mount points left by an earlier boot are empty; what the machine wrote is not."""
    if path.is_symlink():
        return True
    if path.is_dir():
        return any(path.iterdir())
    return path.exists() and path.stat().st_size > 0


def _sshd_config(spec: LocalMachineSpec, environment: Mapping[str, str]) -> str:
    # sshd takes only the first SetEnv line.
    variables = " ".join(
        f'"{_escaped(name)}={_escaped(value)}"' for name, value in environment.items() if "\n" not in value
    )
    return f"""\
ListenAddress {spec.address}:{spec.port}
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
AllowUsers {spec.username}
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
AcceptEnv LANG LC_*
SetEnv {variables}
Subsystem sftp internal-sftp
"""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
