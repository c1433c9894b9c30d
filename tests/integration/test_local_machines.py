"""Local machines, both ways of booting them, seen through real SSH clients."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
import pytest

from provisioning.errors import RehearsalError
from provisioning.rehearsal.machines import (
    MachineKind,
    RunningMachine,
    boot,
    describe_ways,
    end_leftovers,
    is_alive,
    local,
    stop,
)
from provisioning.rehearsal.machines.local import WAY_VARIABLE
from templates.zipapps import agent_zipapp
from tests.fakes.local_machine_kit import PORT, USERNAME, MachineKit, make_kit, process_exists, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REPOSITORY = Path(__file__).parents[2]
_NOBODY = 65534

# What cloud-init runs in these tests: it leaves a trace of how it was called.
_AGENT = """\
import os, sys
workspace = os.environ.get("LLAMALIFT_WORKSPACE", "/workspace")
with open(workspace + "/booted", "a") as trace:
    trace.write(" ".join(sys.argv[1:3]) + " " + open(sys.argv[3]).read() + "\\n")
"""

_RUN = {
    "schema": 1,
    "run_id": "demo-abcdef",
    "username": USERNAME,
    "workspace": "/workspace",
    "data_disk_lun": 0,
    "deadline_at": 4_000_000_000,
    "dollars_per_hour": 1.0,
    "dollars_cap": 1000.0,
    "idle_seconds": 3600,
    "lost_client_seconds": 3600,
    "discard_after_seconds": 86_400,
    "machine_started_at": None,
    "created_at": 1_800_000_000,
}


def _zipapp(source: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("__main__.py", source)
    return target.getvalue()


def _require(kind: MachineKind) -> None:
    way = next(way for way in describe_ways() if way.kind is kind)
    if not way.available:
        assert "CI" not in os.environ, f"CI must be able to boot every way: {way.reason}"
        pytest.skip(f"{way.reason} ({way.hint})")


@pytest.fixture(params=[MachineKind.SANDBOX, MachineKind.IN_PROCESS])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MachineKind:
    """Each way of booting."""
    kind = MachineKind(request.param)
    _require(kind)
    monkeypatch.setenv(WAY_VARIABLE, kind)
    return kind


@pytest.fixture
def kit(tmp_path: Path) -> MachineKit:
    """A machine that has never booted."""
    return make_kit(tmp_path, agent=_zipapp(_AGENT))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach: every pytest that starts closes its own base folder to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "theirs"


@pytest.fixture
def start() -> Iterator[Callable[[MachineKit], RunningMachine]]:
    """Boots machines, and stops them after the test."""
    running: list[RunningMachine] = []

    def boot_it(kit: MachineKit) -> RunningMachine:
        running.append(boot(kit.spec))
        return running[-1]

    yield boot_it
    for machine in running:
        stop(machine)


@pytest.fixture
def machine(kind: MachineKind, kit: MachineKit, start: Callable[[MachineKit], RunningMachine]) -> RunningMachine:
    """A machine that listens."""
    machine = start(kit)
    assert machine.kind is kind
    return machine


def _send_64_mib(channel: paramiko.Channel) -> None:
    for _ in range(1024):
        channel.sendall(b"\n" + b"x" * 65_535)


@pytest.mark.usefixtures("machine")
class TestSigningIn:
    """Who may come in."""

    def test_host_key_is_the_one_from_custom_data(self, kit: MachineKit) -> None:
        """The very first connection is authenticated: OpenSSH and paramiko accept exactly the one-time key."""
        assert kit.output("whoami || true; echo $USER").endswith(USERNAME)
        with kit.paramiko_client() as client:
            transport = client.get_transport()
            assert transport is not None
            assert transport.get_remote_server_key().get_base64() == kit.host_key.public_line.split()[1]

    def test_another_key_is_refused(self, kit: MachineKit, tmp_path: Path) -> None:
        """A key that cloud-init did not install opens nothing."""
        stranger = make_kit(tmp_path / "stranger", agent=b"")
        intruder = replace(kit, user_key=stranger.user_key)
        assert intruder.ssh("true").returncode == 255

    def test_another_user_is_refused(self, kit: MachineKit) -> None:
        """The right key under another name opens nothing: root in particular."""
        argv = [word.replace(USERNAME + "@", "root@") for word in kit.argv("true")]
        assert subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 255

    def test_a_key_planted_later_is_accepted(self, kit: MachineKit, tmp_path: Path) -> None:
        """Another computer can be let in by adding to authorized_keys."""
        other = make_kit(tmp_path / "other", agent=b"")
        kit.output(f"echo '{other.user_key.public_line}' >> ~/.ssh/authorized_keys")
        assert replace(kit, user_key=other.user_key).ssh("true").returncode == 0


@pytest.mark.usefixtures("machine")
class TestCommands:
    """What runs on the machine."""

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    def test_exit_code_arrives(self, kit: MachineKit, code: int) -> None:
        """The command's own exit code is the client's."""
        assert kit.ssh(f"exit {code}").returncode == code

    def test_streams_stay_apart(self, kit: MachineKit) -> None:
        """Standard output and standard error are two streams."""
        done = kit.ssh("echo out; echo err >&2")
        assert (done.stdout, done.stderr) == (b"out\n", b"err\n")

    def test_quick_commands_never_lose_their_answer(self, kit: MachineKit) -> None:
        """Two hundred commands that end at once, on one connection: each gives its output and exit code."""
        with kit.paramiko_client() as client:
            for number in range(200):
                _, out, _ = client.exec_command(f"echo {number}")
                assert out.read() == f"{number}\n".encode()
                assert out.channel.recv_exit_status() == 0

    def test_fifty_megabytes_of_input_arrive_whole(self, kit: MachineKit) -> None:
        """A stream into a command keeps every byte."""
        data = os.urandom(1_000_000) * 50
        done = kit.ssh("sha256sum", stdin=data)
        assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()

    def test_slow_reader_slows_the_sender_down(self, kit: MachineKit) -> None:
        """A command that does not read holds the sender back instead of filling somebody's memory."""
        with kit.paramiko_client() as client:
            channel = client.get_transport().open_session()  # type: ignore[union-attr]
            channel.exec_command("read line; sleep 600")
            channel.settimeout(1.0)
            with pytest.raises(TimeoutError):
                _send_64_mib(channel)

    def test_eight_channels_at_once_on_one_connection(self, kit: MachineKit) -> None:
        """Commands on one connection do not wait for each other."""
        with kit.paramiko_client() as client:
            outputs = [client.exec_command("read word; echo $word")[:2] for _ in range(8)]
            for number, (stdin, _) in reversed(list(enumerate(outputs))):
                stdin.write(f"{number}\n")
                stdin.flush()
            assert [out.read().decode().strip() for _, out in outputs] == [str(number) for number in range(8)]

    def test_detached_process_survives_its_channel(self, kit: MachineKit) -> None:
        """What starts its own session goes on after the connection is gone."""
        pid = kit.output("setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!")
        assert kit.ssh(f"kill -0 {pid}").returncode == 0

    def test_terminal(self, kit: MachineKit) -> None:
        """`ssh` gets a terminal for a person, with PATH as in commands."""
        done = subprocess.run(
            kit.argv("tty; stty size >/dev/null && echo $TERM; bash -lc 'command -v python3'", options=("-tt",)),
            capture_output=True,
            check=False,
            timeout=30,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        tty, term, python = done.stdout.decode().split()
        assert tty.startswith("/dev/")
        assert (term, done.returncode) == ("xterm-256color", 0)
        assert python.endswith("/run/machine/python3")

    def test_login_shell(self, kit: MachineKit) -> None:
        """A shell without a command starts in the machine's home and says how it ended."""
        done = subprocess.run(
            kit.argv(options=("-tt",)), input=b"pwd; exit 3\n", capture_output=True, check=False, timeout=30
        )
        assert done.returncode == 3
        assert f"/home/{USERNAME}".encode() in done.stdout


class TestFiles:
    """Copying with the tools that people have."""

    def test_sftp(self, machine: RunningMachine, kit: MachineKit) -> None:
        """Paramiko's SFTP client: put, atomic replacement, attributes, listing, errors."""
        assert is_alive(machine)
        with kit.paramiko_client() as client, client.open_sftp() as sftp:
            sftp.putfo(io.BytesIO(b"new" * 100_000), "file.part")
            sftp.putfo(io.BytesIO(b"old"), "file")
            with pytest.raises(OSError, match="Failure"):
                sftp.rename("file.part", "file")
            sftp.posix_rename("file.part", "file")
            sftp.chmod("file", 0o640)
            sftp.truncate("file", 6)
            sftp.mkdir("folder")
            sftp.symlink("file", "link")
            assert sftp.file("file").read() == b"newnew"
            assert stat.S_IMODE(sftp.stat("file").st_mode or 0) == 0o640
            assert stat.S_ISLNK(sftp.lstat("link").st_mode or 0)
            assert sftp.readlink("link") == "file"
            assert {"file", "folder", "link"} <= set(sftp.listdir("."))
            sftp.remove("link")
            sftp.rmdir("folder")
            with pytest.raises(FileNotFoundError):
                sftp.stat("folder")

    def test_scp_and_rsync(self, machine: RunningMachine, kit: MachineKit, tmp_path: Path) -> None:
        """Both bring a file there and back, with its permissions."""
        assert is_alive(machine)
        source = tmp_path / "source.bin"
        source.write_bytes(os.urandom(3_000_000))
        source.chmod(0o750)
        place = f"{USERNAME}@{kit.spec.address}"
        options = [*kit.options(), "-P", str(PORT)]
        subprocess.run(["scp", "-q", "-p", *options, str(source), f"{place}:one"], check=True, timeout=60)
        shell = " ".join(["ssh", *kit.options(), "-p", str(PORT)])
        subprocess.run(["rsync", "-a", "-e", shell, str(source), f"{place}:two"], check=True, timeout=60)
        subprocess.run(["scp", "-q", *options, f"{place}:two", str(tmp_path / "back")], check=True, timeout=60)
        assert kit.output("stat -c %a one two").split() == ["750", "750"]
        assert (tmp_path / "back").read_bytes() == source.read_bytes()


class TestTheMachineItself:
    """Cloud-init, disks, names, environment."""

    def test_cloud_init_ran_our_agent(self, machine: RunningMachine, kit: MachineKit) -> None:
        """The files of customData are there, and runcmd started the agent with its configuration."""
        trace = kit.spec.workspace_folder / "booted"
        wait_until(trace.exists, "runcmd")
        wait_until(lambda: trace.read_text() == "boot --config {}\n", "the agent's trace")
        log = machine.console_log.read_text()
        assert "cloud-init: wrote /opt/llamalift/agent.pyz" in log
        assert "ERROR" not in log

    def test_runcmd_has_the_machines_environment(
        self, kind: MachineKind, kit: MachineKit, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """What cloud-init starts finds the same PATH, Python and settings as somebody who signs in."""
        assert kind
        data = kit.spec.custom_data.partition(b"runcmd:")[0] + b'runcmd: ["env | sort", "echo end of runcmd"]\n'
        machine = start(replace(kit, spec=replace(kit.spec, custom_data=data)))
        wait_until(lambda: "end of runcmd" in machine.console_log.read_text(), "runcmd")
        printed = set(machine.console_log.read_text().splitlines())
        names = kit.output("env").splitlines()
        ours = {line for line in names if line.startswith(("PATH=", "HOME=", "USER=", "LLAMALIFT_", "PIP_", "LANG="))}
        assert ours <= printed

    def test_unknown_custom_data_is_refused_loudly(
        self, kind: MachineKind, kit: MachineKit, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """The console log names what a local machine does not do; the rest is applied, and the machine boots."""
        assert kind
        odd = kit.spec.custom_data + b"packages: [cowsay]\n"
        machine = start(replace(kit, spec=replace(kit.spec, custom_data=odd)))
        assert "ERROR: refused: unsupported key: packages" in machine.console_log.read_text()
        assert kit.ssh("true").returncode == 0

    def test_machine_without_custom_data_makes_its_own_host_key(
        self, kind: MachineKind, kit: MachineKit, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """Like any image: the user of osProfile may come in, and the host key is a fresh one."""
        assert kind
        start(replace(kit, spec=replace(kit.spec, custom_data=b"")))
        assert kit.ssh("true").returncode == 255
        argv = [word.replace("StrictHostKeyChecking=yes", "StrictHostKeyChecking=no") for word in kit.argv("true")]
        kit.known_hosts.write_text("")
        assert subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0

    @pytest.mark.usefixtures("machine")
    def test_workspace_is_the_data_disk(self, kit: MachineKit) -> None:
        """What is written to the workspace lies in the disk's folder, and the environment cache is below it."""
        workspace = kit.output("echo ${LLAMALIFT_WORKSPACE:-/workspace}")
        kit.output(f"echo data > {workspace}/file; echo cached > {workspace}/llamalift/env/file")
        assert (kit.spec.workspace_folder / "file").read_text() == "data\n"
        assert (kit.spec.environment_cache / "file").read_text() == "cached\n"

    def test_local_disks_are_seen_as_scratch(
        self, kind: MachineKind, kit: MachineKit, tmp_path: Path, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """LLAMALIFT_SCRATCH says where; a machine of a size without any has neither the word nor the folder."""
        assert kind
        start(replace(kit, spec=replace(kit.spec, scratch_folder=tmp_path / "nvme")))
        kit.output("echo fast > $LLAMALIFT_SCRATCH/file")
        assert (tmp_path / "nvme" / "file").read_text() == "fast\n"

    @pytest.mark.usefixtures("machine")
    def test_no_scratch_without_local_disks(self, kit: MachineKit) -> None:
        """The word is not there, so that nobody takes an empty one for a folder."""
        assert kit.output("echo ${LLAMALIFT_SCRATCH-none}") == "none"

    def test_environment_cache_is_shared(
        self, kind: MachineKind, tmp_path: Path, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """Two machines at once, each on its own address with its own disk, share only the environment cache."""
        assert kind
        cache = tmp_path / "cache"
        one = make_kit(tmp_path / "one", agent=_zipapp(_AGENT), cache=cache)
        two = make_kit(tmp_path / "two", agent=_zipapp(_AGENT), cache=cache, name="vm-2")
        start(one)
        start(two)
        place = "${LLAMALIFT_WORKSPACE:-/workspace}/llamalift"
        one.output(f"echo shared > {place}/env/word; echo own > {place}/word")
        assert two.output(f"cat {place}/env/word") == "shared"
        assert two.ssh(f"cat {place}/word").returncode != 0

    def test_image_configuration_reaches_the_machine(
        self,
        kit: MachineKit,
        kind: MachineKind,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        start: Callable[[MachineKit], RunningMachine],
    ) -> None:
        """The caller's pip configuration and Hub address hold; nothing else of the caller's shell does."""
        assert kind
        (tmp_path / "home/.config/pip").mkdir(parents=True)
        (tmp_path / "home/.config/pip/pip.conf").write_text("[global]\ntimeout = 77\n")
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/a\"b\\c d'e/simple")
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/hub")
        monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
        start(kit)
        assert kit.output("printenv PIP_INDEX_URL HF_ENDPOINT").splitlines() == [
            "http://127.0.0.1:9/a\"b\\c d'e/simple",
            "http://127.0.0.1:9/hub",
        ]
        assert "timeout = 77" in kit.output("cat ~/.config/pip/pip.conf")
        assert kit.ssh("printenv SECRET_OF_THE_CALLER").returncode == 1
        assert (
            "127.0.0.1:9"
            not in subprocess.run(["ps", "-e", "-ww", "-o", "args"], capture_output=True, check=True, text=True).stdout
        )

    @pytest.mark.usefixtures("machine")
    def test_python_makes_environments_that_outlive_the_machine(self, kit: MachineKit) -> None:
        """A virtual environment in the cache points at an interpreter that also exists outside."""
        kit.output("python3 -m venv --without-pip ${LLAMALIFT_WORKSPACE:-/workspace}/llamalift/env/made")
        python = kit.spec.environment_cache / "made" / "bin" / "python"
        assert subprocess.run([python, "-c", ""], check=False).returncode == 0

    def test_sandbox_keeps_the_host_read_only(
        self, kit: MachineKit, monkeypatch: pytest.MonkeyPatch, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """In a sandbox: own processes, own home and /opt, own host name; the host is read-only."""
        _require(MachineKind.SANDBOX)
        monkeypatch.setenv(WAY_VARIABLE, MachineKind.SANDBOX)
        start(kit)
        assert kit.output("hostname; id -un; pwd").split() == ["vm-1", USERNAME, f"/home/{USERNAME}"]
        assert kit.output("python3 -c 'import socket; print(socket.gethostbyname(\"vm-1\"))'") == kit.spec.address
        assert int(kit.output("ls -d /proc/[0-9]* | wc -l")) < 20
        assert kit.ssh("touch /usr/here").returncode != 0
        assert kit.ssh("touch /opt/here /etc/here /tmp/here /dev/shm/here").returncode == 0
        assert kit.output("ls /opt/llamalift") == "agent.pyz\nrun.json"


class TestRealAgent:
    """With the agent that llamalift sends."""

    @pytest.fixture
    def kit(self, tmp_path: Path) -> MachineKit:
        """A machine of a run."""
        return make_kit(tmp_path, agent=agent_zipapp(), run_json=json.dumps(_RUN))

    @pytest.fixture
    def agent(self, machine: RunningMachine, kit: MachineKit) -> str:
        """Where the agent is, once cloud-init's runcmd has booted the run."""
        assert is_alive(machine)
        folder = kit.spec.workspace_folder / "llamalift" / "demo-abcdef"
        wait_until((folder / "agent.pyz").exists, "boot")
        return kit.output("echo ${LLAMALIFT_WORKSPACE:-/workspace}") + "/llamalift/demo-abcdef/agent.pyz"

    def test_boot_starts_the_daemon(self, kit: MachineKit, agent: str) -> None:
        """cloud-init alone is enough: the agent answers before anybody has signed in."""
        run_folder = agent.removesuffix("/agent.pyz")
        status = f"python3 {agent} status --run-dir {run_folder} --log-from 0"
        wait_until(lambda: _is_serving(kit.ssh(status).stdout), "the daemon")

    def test_host_key_rotation(self, kit: MachineKit, agent: str) -> None:
        """The machine's own key replaces the one-time key without dropping the open connection."""
        one_time = kit.known_hosts.read_text()
        with kit.paramiko_client() as client:
            _, out, _ = client.exec_command(f"python3 {agent} new-host-key && python3 {agent} activate-host-key")
            lines = [json.loads(line)["public_key"] for line in out]
            assert lines[0] == lines[1]
            kit.known_hosts.write_text(f"[{kit.spec.address}]:{PORT} {lines[0]}\n")
            wait_until(lambda: kit.ssh("true").returncode == 0, "the new key")
            _, out, _ = client.exec_command("echo still here")
            assert out.read() == b"still here\n"
        assert kit.output("ls ${LLAMALIFT_SSH_DIR:-/etc/ssh} | grep _key") == "ssh_host_ed25519_key"
        kit.known_hosts.write_text(one_time)
        assert kit.ssh("true").returncode == 255


def _is_serving(status: bytes) -> bool:
    return bool(status) and json.loads(status)["agent"]["alive"] is True


class TestLife:
    """Restart, power, and the end of everything."""

    def test_restart_keeps_disk_and_host_key(
        self, kit: MachineKit, kind: MachineKind, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """A second boot in the same folder is a restart: cloud-init's keys stay out, runcmd's work starts again."""
        assert kind
        first = start(kit)
        kit.output("echo kept > ~/file")
        stop(first)
        unwanted = make_kit(kit.folder / "other", agent=b"").spec.custom_data
        start(replace(kit, spec=replace(kit.spec, custom_data=unwanted)))
        assert kit.output("cat ~/file") == "kept"
        trace = kit.spec.workspace_folder / "booted"
        wait_until(lambda: trace.read_text().count("boot") == 2, "runcmd at the second boot")

    def test_stop_ends_every_process(self, machine: RunningMachine, kit: MachineKit) -> None:
        """After stop nothing of the machine runs, however well it detached itself, and nobody listens."""
        beat = kit.spec.workspace_folder / "beat"
        workspace = kit.output("echo ${LLAMALIFT_WORKSPACE:-/workspace}")
        script = f"trap '' HUP TERM; while :; do date +%N > {workspace}/beat; sleep 0.05; done"
        kit.output(f'setsid sh -c "{script}" >/dev/null 2>&1 </dev/null &')
        wait_until(beat.exists, "the detached process")
        stop(machine)
        assert not is_alive(machine)
        last = beat.read_text()
        with pytest.raises(AssertionError):
            wait_until(lambda: beat.read_text() != last, "another beat", seconds=0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((kit.spec.address, PORT), timeout=5)
        stop(machine)

    def test_secrets_in_memory_end_with_the_machine(
        self, machine: RunningMachine, kit: MachineKit, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """What a run keeps in /dev/shm is gone after a restart, as after a real one; other runs' is not touched."""
        run_id = f"demo-{os.getpid()}"
        kit.output(f"mkdir -p ${{LLAMALIFT_WORKSPACE:-/workspace}}/llamalift/{run_id}")
        kit.output(f"mkdir /dev/shm/llamalift-{run_id} && echo secret > /dev/shm/llamalift-{run_id}/secrets.json")
        stop(machine)
        assert not Path("/dev/shm", f"llamalift-{run_id}").exists()
        start(kit)
        assert kit.ssh(f"ls /dev/shm/llamalift-{run_id}").returncode != 0

    @pytest.mark.parametrize("command", ["sudo -n shutdown -h now", "sudo poweroff"])
    def test_machine_can_switch_itself_off(self, machine: RunningMachine, kit: MachineKit, command: str) -> None:
        """A dead-man switch on the machine ends the machine: and the machine only."""
        kit.ssh(command)
        wait_until(lambda: not is_alive(machine), "power off")
        assert "switching off" in machine.console_log.read_text()

    def test_port_in_use_is_told_with_the_console_log(self, kit: MachineKit, kind: MachineKind) -> None:
        """A machine that cannot listen raises, and the hint shows its console."""
        assert kind
        with socket.create_server((kit.spec.address, PORT)), pytest.raises(RehearsalError) as raised:
            boot(kit.spec)
        assert "in use" in raised.value.hint

    def test_closing_a_channel_hangs_up_on_its_command(
        self, kit: MachineKit, monkeypatch: pytest.MonkeyPatch, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """Without a sandbox nothing lingers: a command whose client has left gets SIGHUP, with its whole group."""
        monkeypatch.setenv(WAY_VARIABLE, MachineKind.IN_PROCESS)
        start(kit)
        with kit.paramiko_client() as client:
            _, out, _ = client.exec_command("sleep 601 & echo $!; wait")
            pid = int(out.readline())
        wait_until(lambda: kit.ssh(f"kill -0 {pid}").returncode != 0, "SIGHUP")


class TestOwner:
    """The process that booted a machine, and what it may be."""

    def test_machine_outlives_the_thread_that_booted_it(self, kind: MachineKind, kit: MachineKit) -> None:
        """A web server boots machines in the thread of a request; the machine stays when that thread is gone."""
        with _owner(kit) as owner:
            assert _told(owner)["kind"] == kind
            assert kit.output("echo up") == "up"

    def test_machine_ends_with_a_killed_owner(self, kind: MachineKind, kit: MachineKit) -> None:
        """SIGKILL of the owner takes the machine with it, detached processes included."""
        assert kind
        beat = kit.spec.workspace_folder / "beat"
        with _owner(kit) as owner:
            assert _told(owner)["alive"]
            workspace = kit.output("echo ${LLAMALIFT_WORKSPACE:-/workspace}")
            script = f"while :; do date +%N > {workspace}/beat; sleep 0.05; done"
            kit.output(f'setsid sh -c "{script}" >/dev/null 2>&1 </dev/null &')
            wait_until(beat.exists, "the detached process")
            owner.kill()
        wait_until(lambda: _stands_still(beat), "the end of the detached process")
        wait_until(lambda: not _answers(kit), "the end of the SSH server")

    def test_next_owner_can_boot_at_once(
        self, kind: MachineKind, kit: MachineKit, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """Booting waits for a machine whose owner has just been killed, and the disk is as it was."""
        assert kind
        with _owner(kit) as owner:
            assert _told(owner)["alive"]
            kit.output("echo kept > ~/file")
            owner.kill()
        start(kit)
        assert kit.output("cat ~/file") == "kept"

    def test_two_owners_cannot_share_a_machine(
        self, kind: MachineKind, kit: MachineKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A machine that runs cannot be booted by somebody else."""
        assert kind
        monkeypatch.setattr(local, "_PREVIOUS_SECONDS", 0.1)
        with _owner(kit) as owner:
            assert _told(owner)["alive"]
            with pytest.raises(RehearsalError, match="running already"):
                boot(kit.spec)

    def test_what_a_killed_machine_left_can_be_ended(
        self, kit: MachineKit, monkeypatch: pytest.MonkeyPatch, start: Callable[[MachineKit], RunningMachine]
    ) -> None:
        """Owner and machine killed at once: without its own process space, a machine's commands are found by a mark."""
        monkeypatch.setenv(WAY_VARIABLE, MachineKind.IN_PROCESS)
        machine = start(kit)
        pid = int(kit.output("setsid sleep 602 >/dev/null 2>&1 </dev/null & echo $!"))
        os.kill(machine.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(machine), "the machine's end")
        assert process_exists(pid)
        end_leftovers(kit.spec.folder)
        wait_until(lambda: not process_exists(pid), "the command's end")

    def test_ordinary_user_can_own_a_machine(self, kind: MachineKind, open_folder: Path) -> None:
        """Booting needs no rights: an unprivileged user boots, signs in, writes the workspace and starts the agent."""
        if os.geteuid() != 0:
            pytest.skip("already an ordinary user: every other test shows it")
        kit = make_kit(open_folder, agent=_zipapp(_AGENT))
        _give_to_nobody(open_folder)
        with _owner(
            kit, prefix=["setpriv", "--reuid", str(_NOBODY), "--regid", str(_NOBODY), "--clear-groups"]
        ) as owner:
            assert _told(owner)["kind"] == kind
            assert kit.output("echo $USER") == USERNAME
            kit.output("echo mine > ${LLAMALIFT_WORKSPACE:-/workspace}/file; python3 -c ''")
            assert (kit.spec.workspace_folder / "file").stat().st_uid == _NOBODY
            wait_until((kit.spec.workspace_folder / "booted").exists, "runcmd")


def _owner(kit: MachineKit, prefix: list[str] | None = None) -> subprocess.Popen[bytes]:
    """Another process that boots the machine and stays until it is closed."""
    spec_file = kit.folder / "spec.pickle"
    spec_file.write_bytes(pickle.dumps(kit.spec))
    argv = [
        *(prefix or []),
        _interpreter(everybody=prefix is not None),
        "-m",
        "tests.fakes.boot_and_wait",
        str(spec_file),
    ]
    packages = os.pathsep.join([str(_REPOSITORY), sysconfig.get_paths()["purelib"]])
    environment = {**os.environ, "PYTHONPATH": packages, "HOME": str(kit.folder)}
    return subprocess.Popen(argv, cwd="/", env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _told(owner: subprocess.Popen[bytes]) -> dict[str, object]:
    assert owner.stdout is not None
    told: dict[str, object] = json.loads(owner.stdout.readline())
    return told


def _interpreter(*, everybody: bool) -> str:
    """This one, or one of the same version that every user may run (root's own may live in /root)."""
    if not everybody:
        return sys.executable
    own = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in own.parents):
        return sys.executable
    found = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"no Python of this version that an ordinary user may run; this one is private: {own}")
    return found


def _give_to_nobody(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, _NOBODY, _NOBODY)


def _answers(kit: MachineKit) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((kit.spec.address, kit.spec.port)) == 0


def _stands_still(beat: Path) -> bool:
    first = beat.read_text()
    time.sleep(0.3)
    return beat.read_text() == first


class TestWays:
    """Which way is taken."""

    def test_wish_decides(self, kind: MachineKind) -> None:
        """The environment variable chooses; exactly one way is chosen."""
        assert [way.kind for way in describe_ways() if way.chosen] == [kind]

    def test_unknown_wish_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A way that does not exist is an error that names those that do."""
        monkeypatch.setenv(WAY_VARIABLE, "vagrant")
        with pytest.raises(RehearsalError, match="sandbox, in-process, none, not: vagrant"):
            describe_ways()

    def test_without_bubblewrap_the_fallback_is_chosen(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Where bubblewrap is missing, machines boot in a process, and doctor can say what to install."""
        monkeypatch.delenv(WAY_VARIABLE, raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        sandbox, in_process = describe_ways()
        assert not sandbox.available
        assert sandbox.hint or "Linux" in sandbox.reason
        assert in_process.chosen
        monkeypatch.setenv(WAY_VARIABLE, MachineKind.SANDBOX)
        with pytest.raises(RehearsalError, match="cannot be booted"):
            boot(make_kit(tmp_path / "kit", agent=b"").spec)


def test_unknown_host_key_stops_the_client(
    kind: MachineKind, kit: MachineKit, start: Callable[[MachineKit], RunningMachine], tmp_path: Path
) -> None:
    """Strict checking means something: a client that expects another key does not get in."""
    assert kind
    start(kit)
    other = make_kit(tmp_path / "other", agent=b"").host_key
    with pytest.raises(paramiko.BadHostKeyException):
        replace(kit, host_key=other).paramiko_client()
