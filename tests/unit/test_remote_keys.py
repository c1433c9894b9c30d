from __future__ import annotations

import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from remote.errors import RemoteError
from remote.keys import ensure_user_key, fingerprint, generate_host_key, public_key_bytes
from remote.ssh_config import write_ssh_config
from remote.types import Endpoint

if TYPE_CHECKING:
    from pathlib import Path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_user_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """The second call gives the same key; only its owner can read it."""
    first = ensure_user_key(tmp_path / "run")
    second = ensure_user_key(tmp_path / "run")
    assert first == second
    assert _mode(first.private_file) == 0o600
    assert first.public_line.startswith("ssh-ed25519 ")


def test_a_foreign_private_key_is_told(tmp_path: Path) -> None:
    """What is no ed25519 key is neither used nor overwritten."""
    (tmp_path / "id_ed25519").write_text("not a key")
    with pytest.raises(RemoteError):
        ensure_user_key(tmp_path)
    assert (tmp_path / "id_ed25519").read_text() == "not a key"


def test_openssh_agrees_with_our_keys(tmp_path: Path) -> None:
    """ssh-keygen reads both private keys and derives the same public ones and the same fingerprint."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen, which is not installed here")
    host_key = generate_host_key()
    private = tmp_path / "host"
    private.touch(mode=0o600)
    private.write_text(host_key.private_pem)
    user_key = ensure_user_key(tmp_path / "user")
    for file, line in ((private, host_key.public_line), (user_key.private_file, user_key.public_line)):
        derived = subprocess.run(["ssh-keygen", "-y", "-f", str(file)], capture_output=True, check=True, text=True)
        assert derived.stdout.split()[:2] == line.split()[:2]
    listed = subprocess.run(["ssh-keygen", "-l", "-f", str(private)], capture_output=True, check=True, text=True)
    assert listed.stdout.split()[1] == fingerprint(public_key_bytes(host_key.public_line))


def test_a_host_keys_private_part_is_not_shown() -> None:
    """Its repr may end in a log."""
    assert "PRIVATE" not in repr(generate_host_key())


def test_ssh_is_told_exactly_whom_to_trust(tmp_path: Path) -> None:
    """The system's ssh resolves our settings to strict checking, one identity and the run's own known hosts."""
    if shutil.which("ssh") is None:
        pytest.skip("needs the OpenSSH client, which is not installed here")
    folder = tmp_path / "a run's 100% folder"
    key = ensure_user_key(folder)
    pinned = (generate_host_key().public_line, generate_host_key().public_line)
    config = write_ssh_config(Endpoint("192.0.2.1", 2222, "llama", key.private_file, pinned), folder)
    shown = subprocess.run(["ssh", "-G", "-F", str(config), "machine"], capture_output=True, check=True, text=True)
    settings = dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)
    assert settings["hostname"] == "192.0.2.1"
    assert settings["port"] == "2222"
    assert settings["user"] == "llama"
    assert settings["stricthostkeychecking"] == "true"
    assert settings["identitiesonly"] == "yes"
    assert settings["hostkeyalgorithms"] == "ssh-ed25519"
    assert settings["updatehostkeys"] == "false"
    assert settings["forwardagent"] == "no"
    assert settings["controlmaster"] == "false"
    assert _mode(config) == _mode(folder / "known_hosts") == 0o600
    known = (folder / "known_hosts").read_text().splitlines()
    assert known == [f"machine {line}" for line in pinned]


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 !!!"])
def test_what_is_no_public_key_is_told(line: str) -> None:
    """A damaged pin is an error, not an empty key."""
    with pytest.raises(RemoteError):
        public_key_bytes(line)
