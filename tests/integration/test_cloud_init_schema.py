"""Our customData before cloud-init's own judge."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from remote.keys import generate_host_key
from templates.cloud_init import CloudInitValues, cloud_config
from templates.zipapps import agent_zipapp

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cloud_init() -> str:
    """The program; CI must have it."""
    program = shutil.which("cloud-init")
    if program is None:
        assert "CI" not in os.environ, "CI needs Debian's cloud-init package"
        pytest.skip("cloud-init is not installed (Debian: apt-get install cloud-init)")
    return program


def _judge(program: str, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "user-data"
    file.write_text(text)
    return subprocess.run(
        [program, "schema", "--config-file", str(file)], capture_output=True, check=False, text=True, timeout=60
    )


def test_schema_accepts_what_we_send(cloud_init: str, tmp_path: Path) -> None:
    """cloud-init's JSON schema finds nothing to complain about, with the real agent and a real host key."""
    key = generate_host_key()
    text = cloud_config(
        CloudInitValues("azureuser", key.public_line, key.private_pem, key.public_line, "{}", agent_zipapp())
    )
    done = _judge(cloud_init, text, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid cloud-config" in done.stdout


def test_schema_refuses_a_mistake(cloud_init: str, tmp_path: Path) -> None:
    """The judge is awake: a misspelt key is not accepted."""
    assert _judge(cloud_init, "#cloud-config\nwrite_files: {path: /x}\n", tmp_path).returncode != 0
