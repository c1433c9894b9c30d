from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from templates.zipapps import agent_zipapp
from tests.fakes.agent_run import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SSHD = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, lambda *_: open(sys.argv[1] + '/reread', 'a').write('x'))
open(sys.argv[1] + '/sshd.pid', 'w').write(str(os.getpid()))
while True: time.sleep(1)
"""


@pytest.fixture
def ssh_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder like /etc/ssh with a one-time key and the keys that every system makes, and somebody who listens."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    for kind in ("ed25519", "ecdsa"):
        key = folder / f"ssh_host_{kind}_key"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    (folder / "sshd_config").write_text("Port 22\n")
    server = subprocess.Popen([sys.executable, "-c", _SSHD, str(tmp_path)])
    wait_for(lambda: (tmp_path / "sshd.pid").exists() and (tmp_path / "sshd.pid").read_text(), "the listener")
    yield folder
    server.send_signal(signal.SIGKILL)
    server.wait()


def _verb(ssh_dir: Path, verb: str) -> dict[str, Any]:
    archive = ssh_dir.parent / "agent.pyz"
    archive.write_bytes(agent_zipapp())
    own = {"LLAMALIFT_SSH_DIR": str(ssh_dir), "LLAMALIFT_SSHD_PID_FILE": str(ssh_dir.parent / "sshd.pid")}
    done = subprocess.run(
        [sys.executable, str(archive), verb], env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_new_key_is_shown_first_and_used_only_when_activated(ssh_dir: Path) -> None:
    """Between the two steps the old key is in force, so that the client can write down the new one."""
    before = (ssh_dir / "ssh_host_ed25519_key").read_bytes()
    shown = _verb(ssh_dir, "new-host-key")["public_key"]
    assert shown.startswith("ssh-ed25519 AAAA")
    assert (ssh_dir / "ssh_host_ed25519_key").read_bytes() == before
    assert _verb(ssh_dir, "activate-host-key")["public_key"] == shown
    assert (ssh_dir / "ssh_host_ed25519_key").read_bytes() != before
    assert sorted(path.name for path in ssh_dir.iterdir()) == ["ssh_host_ed25519_key", "sshd_config"]
    assert (ssh_dir / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    wait_for((ssh_dir.parent / "reread").exists, "sshd to read its keys again")


def test_both_steps_can_be_repeated(ssh_dir: Path) -> None:
    """A client that was cut off asks again and gets the same key."""
    shown = _verb(ssh_dir, "new-host-key")["public_key"]
    assert _verb(ssh_dir, "new-host-key")["public_key"] == shown
    assert _verb(ssh_dir, "activate-host-key")["public_key"] == shown
    assert _verb(ssh_dir, "activate-host-key")["public_key"] == shown


def test_a_half_made_key_is_made_again(ssh_dir: Path) -> None:
    """An empty file that a crash has left is no key."""
    (ssh_dir / "ssh_host_ed25519_key.next").touch()
    shown = _verb(ssh_dir, "new-host-key")["public_key"]
    assert _verb(ssh_dir, "activate-host-key")["public_key"] == shown


def test_a_failure_is_said_in_json(ssh_dir: Path) -> None:
    """Without any key there is nothing to activate, and the answer says what failed."""
    for path in ssh_dir.glob("ssh_host_*"):
        path.unlink()
    assert _verb(ssh_dir, "activate-host-key")["error"]["type"] == "SystemCommandError"
