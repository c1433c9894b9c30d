"""The cloud-config that turns a fresh Ubuntu machine into one of ours.

It carries only what must work before anybody can sign in: the user, a one-time host key (so that the very first
connection is already authenticated), and the agent with its dead-man switch. The data disk is the agent's business
(`boot`): it knows both of Azure's names for a LUN and formats only what is empty; cloud-init's `disk_setup` cannot
promise that.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

try:
    # Forty times as fast, for the agent's 20 kB; not every build of PyYAML has it.
    from yaml import CSafeDumper as SafeDumper
except ImportError:
    from yaml import SafeDumper  # type: ignore[assignment]

MAX_CUSTOM_DATA_BYTES = 65_535
"""Azure's limit for decoded customData (learn.microsoft.com/azure/virtual-machines/custom-data)."""

AGENT_PATH = "/opt/llamalift/agent.pyz"
RUN_CONFIG_PATH = "/opt/llamalift/run.json"
RUN_FILE_PATH = "/opt/llamalift/run.yaml"
APT_CONFIG_PATH = "/etc/apt/apt.conf.d/99llamalift"

# An unattended kernel or driver upgrade in the middle of a run breaks CUDA; the HPC images no longer hold the kernel.
_APT_CONFIG = 'APT::Periodic::Update-Package-Lists "0";\nAPT::Periodic::Unattended-Upgrade "0";\n'


@dataclass(frozen=True, slots=True)
class CloudInitValues:
    """What differs from run to run.

    Attributes:
        username: The Linux user to create; it may use sudo without a password.
        ssh_public_key: The run's public key, one OpenSSH line.
        host_private_key: One-time ed25519 host key, OpenSSH PEM; replaced over the first connection.
        host_public_key: Its public half, one OpenSSH line.
        run_json: The agent's configuration, as JSON text. No secrets: customData is not a secret place.
        agent_zipapp: The agent (see `templates.zipapps`).
        run_file: The run file's text, for a computer that adopts the run; left out when it does not fit.
    """

    username: str
    ssh_public_key: str
    host_private_key: str = field(repr=False)
    host_public_key: str
    run_json: str
    agent_zipapp: bytes = field(repr=False)
    run_file: str = field(default="", repr=False)


def render_cloud_init(values: CloudInitValues) -> bytes:
    """Render customData: `#cloud-config` YAML, gzipped only when it would not fit otherwise.

    A run file that makes it too large even then is left out: the client sends it over SSH later.

    Raises:
        ValueError: Even gzipped it is larger than Azure takes.
    """
    plain = cloud_config(values).encode()
    if len(plain) <= MAX_CUSTOM_DATA_BYTES:
        return plain
    packed = gzip.compress(plain, mtime=0)
    if len(packed) > MAX_CUSTOM_DATA_BYTES and values.run_file:
        return render_cloud_init(replace(values, run_file=""))
    if len(packed) > MAX_CUSTOM_DATA_BYTES:
        raise ValueError(
            f"customData is too large: {len(packed):,} bytes gzipped ({len(plain):,} plain, "
            f"agent {len(values.agent_zipapp):,}), limit: {MAX_CUSTOM_DATA_BYTES:,}"
        )
    return packed


def cloud_config(values: CloudInitValues) -> str:
    """The same as text, for people."""
    document = {
        "users": [_user(values)],
        "disable_root": True,
        "ssh_pwauth": False,
        # The image's own keys go, so that nothing but the key that we know can answer.
        "ssh_deletekeys": True,
        "ssh_keys": {
            "ed25519_private": _ending_in_newline(values.host_private_key),
            "ed25519_public": values.host_public_key.strip(),
        },
        "package_update": False,
        "package_upgrade": False,
        "write_files": [
            _file(AGENT_PATH, values.agent_zipapp, "0755"),
            _file(RUN_CONFIG_PATH, values.run_json.encode(), "0644"),
            *([_packed_file(RUN_FILE_PATH, values.run_file.encode(), "0644")] if values.run_file else []),
            {"path": APT_CONFIG_PATH, "permissions": "0644", "owner": "root:root", "content": _APT_CONFIG},
        ],
        "runcmd": [["python3", AGENT_PATH, "boot", "--config", RUN_CONFIG_PATH]],
    }
    return "#cloud-config\n" + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1_000_000)


def _user(values: CloudInitValues) -> dict[str, Any]:
    return {
        "name": values.username,
        "shell": "/bin/bash",
        "lock_passwd": True,
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": [values.ssh_public_key.strip()],
    }


def _file(path: str, content: bytes, permissions: str) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {"path": path, "permissions": permissions, "owner": "root:root", "encoding": "b64", "content": encoded}


def _ending_in_newline(pem: str) -> str:
    """OpenSSH refuses a private key file without a final newline."""
    return pem.rstrip("\n") + "\n"


def _packed_file(path: str, content: bytes, permissions: str) -> dict[str, Any]:
    return {**_file(path, gzip.compress(content, mtime=0), permissions), "encoding": "gz+b64"}


class _Dumper(SafeDumper):
    """Writes texts of several lines as blocks: a person reads this when a machine does not come up."""


def _represent_text(dumper: SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
