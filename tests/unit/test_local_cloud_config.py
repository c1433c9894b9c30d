"""customData, read by a local machine as cloud-init would read it."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

import pytest

from provisioning.rehearsal.machines.cloud_config import ConfiguredFile, ConfiguredUser, parse_custom_data
from provisioning.rehearsal.machines.disk import MachineDisk, prepare_disk
from provisioning.rehearsal.machines.first_boot import apply_custom_data, runcmd_script
from provisioning.rehearsal.machines.spec import LocalMachineSpec
from templates.cloud_init import CloudInitValues, render_cloud_init

if TYPE_CHECKING:
    from pathlib import Path

_OURS = CloudInitValues("azureuser", "ssh-ed25519 AAAAuser", "PEM\n", "ssh-ed25519 AAAAhost", "{}", b"agent")


def _config(text: str) -> bytes:
    return f"#cloud-config\n{text}\n".encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_our_own_data_is_understood_whole(pack: type[bytes]) -> None:
    """Nothing that llamalift sends is refused, gzipped or not."""
    config = parse_custom_data(pack(render_cloud_init(_OURS)))
    assert config.problems == []
    assert config.users == [ConfiguredUser("azureuser", ("ssh-ed25519 AAAAuser",))]
    assert not config.wants_default_user
    assert config.host_keys == {"ed25519_private": "PEM\n", "ed25519_public": "ssh-ed25519 AAAAhost"}
    assert config.files[:2] == [
        ConfiguredFile("/opt/llamalift/agent.pyz", b"agent", 0o755),
        ConfiguredFile("/opt/llamalift/run.json", b"{}", 0o644),
    ]
    assert config.commands == [
        ["python3", "/opt/llamalift/agent.pyz", "boot", "--config", "/opt/llamalift/run.json"],
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (_config("packages: [cowsay]"), "unsupported key: packages"),
        (_config("disk_setup: {}"), "unsupported key: disk_setup"),
        (_config("ssh_pwauth: true"), "ssh_pwauth"),
        (_config("ssh_deletekeys: false"), "ssh_deletekeys"),
        (_config("users: [{name: a, uid: 5}]"), "unsupported key of user a: uid"),
        (_config("users: [{uid: 5}]"), "without a name"),
        (_config("users: a"), "users is not a list"),
        (_config("ssh_keys: {dsa_private: x}"), "unsupported host key: dsa_private"),
        (_config("ssh_keys: x"), "ssh_keys is not a mapping"),
        (_config("write_files: [{path: opt/x}]"), "without an absolute path"),
        (_config("write_files: [{path: /opt/x, encoding: b64, content: '%%'}]"), "/opt/x cannot be decoded"),
        (_config("write_files: [{path: /opt/x, encoding: rot13, content: x}]"), "unsupported encoding: rot13"),
        (_config("write_files: [{path: /opt/x, permissions: rwx}]"), "/opt/x cannot be decoded"),
        (_config("write_files: [{path: /opt/x, append: true}]"), "unsupported key of file /opt/x: append"),
        (_config("write_files: x"), "write_files is not a list"),
        (_config("runcmd: x"), "runcmd is not a list"),
        (_config("runcmd: [5]"), "neither text nor a list"),
        (_config("- a"), "not a mapping"),
        (_config("a: ["), "cannot be read"),
        (b"#!/bin/sh\nreboot\n", "only #cloud-config is understood, first line: #!/bin/sh"),
        (b"\x1f\x8bnot gzip", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_what_a_local_machine_cannot_do_is_refused_by_name(data: bytes, problem: str) -> None:
    """Never silently, and never with an exception: the machine boots and its console log says what was refused."""
    (found,) = parse_custom_data(data).problems
    assert problem in found


def test_one_refused_part_leaves_the_rest() -> None:
    """Like cloud-init, which warns and goes on."""
    config = parse_custom_data(_config("runcmd: [[a, 1], b c]\npackages: []"))
    assert config.commands == [["a", "1"], "b c"]
    assert len(config.problems) == 1


@pytest.mark.parametrize("encoding", ["gz+b64", "gzip+base64"])
def test_packed_files_are_unpacked(encoding: str) -> None:
    """cloud-init's encodings of a packed file."""
    content = base64.b64encode(gzip.compress(b"hello")).decode()
    config = parse_custom_data(_config(f"write_files: [{{path: /opt/x, encoding: {encoding}, content: {content}}}]"))
    assert config.files == [ConfiguredFile("/opt/x", b"hello", 0o644)]


@pytest.mark.parametrize("data", [b"", b"  \n", _config("")])
def test_no_data_is_no_problem(data: bytes) -> None:
    """A machine without customData gets the image's default user, whom Azure names in osProfile."""
    config = parse_custom_data(data)
    assert (config.wants_default_user, config.problems) == (True, [])


def _spec(folder: Path, custom_data: bytes) -> tuple[LocalMachineSpec, MachineDisk]:
    spec = LocalMachineSpec(
        "vm", folder, "127.0.0.1", 2222, folder / "ws", folder / "cache", "azureuser", "ssh-ed25519 AAAAos", custom_data
    )
    disk = MachineDisk(folder, "azureuser")
    prepare_disk(disk)
    return spec, disk


def test_files_outside_the_machines_own_folders_are_refused(tmp_path: Path) -> None:
    """Nothing of customData can be written outside the machine's own folder."""
    data = _config(
        "write_files: [{path: /usr/bin/x}, {path: /etc/../../../x}, {path: /opt/fine, content: a, permissions: '0600'}]"
    )
    spec, disk = _spec(tmp_path, data)
    log: list[str] = []
    apply_custom_data(spec, disk, log.append)
    assert sum("ERROR: refused: a local machine has its own /etc, /home, /opt only" in line for line in log) == 2
    assert (disk.root / "opt/fine").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path.parent / "x").exists()


def test_default_user_gets_the_key_of_os_profile(tmp_path: Path) -> None:
    """`default` in users is the osProfile's user with its key; other names are refused, because there is one user."""
    spec, disk = _spec(tmp_path, _config("users: [default, {name: azureuser, ssh_authorized_keys: [k]}, {name: bob}]"))
    log: list[str] = []
    apply_custom_data(spec, disk, log.append)
    assert (disk.home / ".ssh/authorized_keys").read_text() == "ssh-ed25519 AAAAos\nk\n"
    assert any("not made: bob" in line for line in log)


def test_boot_script_is_what_cloud_init_makes_of_it() -> None:
    """Lists are quoted word by word, lines are left alone."""
    assert runcmd_script([["echo", "a b", "$x"], "echo $x | cat"]) == "#!/bin/sh\necho 'a b' '$x'\necho $x | cat\n"


def test_boot_script_without_sandbox_names_the_real_files(tmp_path: Path) -> None:
    """Only the machine's own files are remapped, in lists and in lines, also below a folder with a space."""
    disk = MachineDisk(tmp_path / "Application Support", "azureuser")
    prepare_disk(disk)
    own = disk.root / "opt/llamalift/agent.pyz"
    own.write_text("")
    script = runcmd_script(
        [["python3", "/opt/llamalift/agent.pyz"], "python3 /opt/llamalift/agent.pyz >/opt/other"], disk
    )
    assert script == f"#!/bin/sh\npython3 '{own}'\npython3 '{own}' >/opt/other\n"
