from __future__ import annotations

import itertools
from pathlib import Path

from remote.command import Command
from remote.lines import ssh_arguments
from remote.types import Endpoint

_KEYS = ("ssh-ed25519 AAAA", "ssh-rsa BBBB")


def _settings(folder: Path, *, jump: str = "") -> tuple[list[str], dict[str, str]]:
    endpoint = Endpoint("host.example", 2222, "ada", Path("/a b/100%/id"), _KEYS, jump)
    arguments = ssh_arguments(endpoint, folder, Command.of("echo", "a b"))
    pairs = itertools.pairwise(arguments)
    return arguments, dict(word.split("=", 1) for flag, word in pairs if flag == "-o")


def test_a_line_of_its_own_trusts_what_the_session_trusts(tmp_path: Path) -> None:
    """The pinned host keys and nothing else, this run's key and nothing else, and no setting of the user's."""
    arguments, settings = _settings(tmp_path)
    assert arguments[:3] == ["ssh", "-F", "none"]
    assert arguments[-3:] == ["--", "host.example", "echo 'a b'"]
    assert arguments[arguments.index("-i") + 1] == "/a b/100%%/id"
    assert settings["StrictHostKeyChecking"] == "yes"
    assert settings["GlobalKnownHostsFile"] == "/dev/null"
    assert settings["IdentityAgent"] == "none"
    assert settings["Ciphers"].startswith("aes128-gcm@openssh.com,")
    alias = settings["HostKeyAlias"]
    assert (tmp_path / "known_hosts").read_text() == "".join(f"{alias} {key}\n" for key in _KEYS)
    assert "ProxyCommand" not in settings


def test_a_line_of_its_own_goes_through_the_jump_host_too(tmp_path: Path) -> None:
    """What reaches the machine only through a bastion does so with every connection."""
    _, settings = _settings(tmp_path, jump="eve@bastion:2200")
    assert "eve@bastion" in settings["ProxyCommand"]
    assert "-W" in settings["ProxyCommand"]
