"""What every process on a local machine finds in its environment.

It is built from nothing, so that the caller's shell does not leak into the machine, except for what stands for the
image's configuration: where packages come from, which certificates to trust, which proxy to use.
"""

from __future__ import annotations

import os
import shlex
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.rehearsal.machines.spec import LocalMachineSpec, MachineKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.machines.disk import MachineDisk

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_CONFIGURATION = frozenset(
    {
        "ALL_PROXY", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "HF_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "NO_PROXY",
        "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ",
    }
)  # fmt: skip

# Hold parts of the machine to the speed of slower hardware.
_REHEARSED = ("LLAMALIFT_DRAIN_BYTES_PER_SECOND",)

_NOT_CONFIGURATION = frozenset(
    {
        "PIP_BUILD_TRACKER", "PIP_CACHE_DIR", "PIP_CONSTRAINT", "PIP_LOG", "PIP_PREFIX", "PIP_PYTHON", "PIP_QUIET",
        "PIP_REQUIREMENT", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_SRC", "PIP_TARGET", "PIP_USER", "PIP_VERBOSE",
    }
)  # fmt: skip
"""Variables that say what or whereto the caller installs, not where packages come from."""

_PIP_FILES = (".pip/pip.conf", ".config/pip/pip.conf", "Library/Application Support/pip/pip.conf")


def host_configuration(host: Mapping[str, str]) -> dict[str, str]:
    """The caller's variables that a machine's image would have set."""
    return {name: value for name, value in host.items() if _is_configuration(name)}


def machine_environment(spec: LocalMachineSpec, kind: MachineKind, disk: MachineDisk) -> dict[str, str]:
    """The whole environment of a login on the machine."""
    root = Path("/") if kind is MachineKind.SANDBOX else disk.root
    environment = {
        "LANG": "C.UTF-8",
        **host_configuration(os.environ),
        **{name: os.environ[name] for name in _REHEARSED if name in os.environ},
        "HOME": str(root / "home" / spec.username),
        "LOGNAME": spec.username,
        "PATH": f"{root / 'run' / 'machine'}:{STANDARD_PATH}",
        "SHELL": "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
        "USER": spec.username,
        "LLAMALIFT_LOCAL_MACHINE": kind.value,
        # The kernel is the computer's, and so is its boot id; this one tells the machine's own restarts apart.
        "LLAMALIFT_BOOT_ID": uuid.uuid4().hex,
        "LLAMALIFT_SSHD_PID_FILE": str(root / "run" / "sshd.pid"),
    }
    if spec.imds_url is not None:
        environment["LLAMALIFT_IMDS"] = spec.imds_url
    if spec.arm_url is not None:
        environment["LLAMALIFT_ARM"] = spec.arm_url
    if spec.arm_ca_file is not None:
        shutil.copyfile(spec.arm_ca_file, disk.programs / "arm-ca.pem")
        environment["LLAMALIFT_ARM_CA"] = str(root / "run" / "machine" / "arm-ca.pem")
    if spec.scratch_folder is not None:
        environment["LLAMALIFT_SCRATCH"] = scratch_seen(spec.scratch_folder, kind)
    if kind is MachineKind.IN_PROCESS:
        environment |= _without_sandbox(spec, disk, environment["PATH"])
    return environment


def scratch_seen(folder: Path, kind: MachineKind) -> str:
    """Where the machine sees its local disks."""
    return "/scratch" if kind is MachineKind.SANDBOX else str(folder.absolute())


def write_login_profile(disk: MachineDisk, environment: Mapping[str, str]) -> None:
    """A login shell reads /etc/profile, which sets PATH anew on most systems; the user's own file has the last word."""
    (disk.home / ".profile").write_text(f"export PATH={shlex.quote(environment['PATH'])}\n")


def copy_pip_configuration(disk: MachineDisk) -> None:
    """Give the machine's user the caller's own pip configuration; the system's is visible anyway."""
    for name in _PIP_FILES:
        source = Path.home() / name
        if name == ".config/pip/pip.conf" and "XDG_CONFIG_HOME" in os.environ:
            source = Path(os.environ["XDG_CONFIG_HOME"]) / "pip" / "pip.conf"
        if source.is_file():
            target = disk.home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o600)


def _without_sandbox(spec: LocalMachineSpec, disk: MachineDisk, path: str) -> dict[str, str]:
    # Homebrew and friends live only on the caller's own PATH.
    variables = {
        "PATH": f"{path}:{os.environ.get('PATH', '')}".rstrip(":"),
        "LLAMALIFT_WORKSPACE": str(spec.workspace_folder.absolute()),
        "LLAMALIFT_SSH_DIR": str(disk.ssh_folder),
    }
    temporary = str(disk.root / "tmp")
    # Unix sockets below it must fit into 104 bytes (macOS) with their own names.
    if len(temporary) <= 64:
        variables["TMPDIR"] = temporary
    return variables


def _is_configuration(name: str) -> bool:
    upper = name.upper()
    return upper in _CONFIGURATION or (name.startswith("PIP_") and name not in _NOT_CONFIGURATION)
