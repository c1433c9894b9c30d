from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote.errors import TransferError
from remote.fetch import fetch_tree
from remote.lanes import Load, lanes_for
from remote.session import Session
from remote.transfer import send_tree
from remote.types import FileDigest
from templates.transfer.bundle import BIG_FILE_BYTES, CELL_BYTES, STAGE_PREFIX, part_name, part_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.ssh_machine import SshMachine

_BIG = 6 * CELL_BYTES + 12_345


@pytest.fixture
def session(machine: SshMachine) -> Iterator[Session]:
    """A connection of its own for each test."""
    with Session.connect(machine.endpoint, deadline_seconds=60) as connected:
        yield connected


def _sign_ins(machine: SshMachine) -> int:
    return (machine.folder / "sshd.log").read_text().count("Accepted publickey")


def _digest(path: Path) -> FileDigest:
    data = path.read_bytes()
    return FileDigest(path.name, len(data), hashlib.sha256(data).hexdigest())


def _big(path: Path, size: int = _BIG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_cells_of_a_big_file_travel_over_several_connections(
    session: Session, machine: SshMachine, there: Path, tmp_path: Path
) -> None:
    """There and back over two more connections, and the file is the same; small files beside it as well."""
    here = _big(tmp_path / "here" / "big")
    (here.parent / "small").write_text("small")
    before = _sign_ins(machine)
    send_tree(session, here.parent, str(there), lanes=2)
    assert _sign_ins(machine) == before + 2
    manifest = [_digest(there / name) for name in ("big", "small")]
    assert manifest == [_digest(here), _digest(here.parent / "small")]
    fetch_tree(session, str(there), tmp_path / "home", manifest, lanes=2)
    assert _sign_ins(machine) == before + 4
    assert [_digest(tmp_path / "home" / file.path) for file in manifest] == manifest
    assert {path.name for path in (tmp_path / "home").iterdir()} == {"big", "small"}


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_connection_that_breaks_leaves_its_cells_to_the_others(
    machine: SshMachine, session: Session, there: Path, tmp_path: Path, *, way: str
) -> None:
    """One of two further connections is killed on the way: nothing is said, and nothing is missing."""
    here = _big(tmp_path / "big")
    ours = set(machine.session_pids())
    killed: list[int] = []

    def kill_one(_done: int, _total: int) -> None:
        lanes = [pid for pid in machine.session_pids() if pid not in ours]
        if not killed and len(lanes) == 2:
            killed.append(lanes[0])
            os.kill(lanes[0], signal.SIGKILL)

    slowly = {"lanes": 2, "progress": kill_one, "limit_bytes_per_second": 40e6}
    if way == "up":
        send_tree(session, here, str(there / "big"), **slowly)  # type: ignore[arg-type]
        assert _digest(there / "big") == _digest(here)
    else:
        fetch_tree(session, str(tmp_path), tmp_path / "home", [_digest(here)], **slowly)  # type: ignore[arg-type]
        assert _digest(tmp_path / "home" / "big") == _digest(here)
    assert killed, "the connections were not up in time"


def test_holes_stay_holes_there_and_back(session: Session, there: Path, tmp_path: Path) -> None:
    """A sparse file costs what is in it, on the line and on both disks."""
    here = tmp_path / "sparse"
    with here.open("wb") as file:
        file.write(b"begin")
        file.seek(5 * CELL_BYTES)
        file.write(b"middle")
        file.truncate(9 * CELL_BYTES)
    if here.stat().st_blocks * 512 > CELL_BYTES:
        pytest.skip("needs a filesystem that keeps holes")
    sent = send_tree(session, here, str(there / "sparse"))
    assert sent.bytes_sent == 2 * CELL_BYTES
    fetched = fetch_tree(session, str(there), tmp_path / "home", [_digest(here)])
    assert fetched.bytes_received == 2 * CELL_BYTES
    for copy in (there / "sparse", tmp_path / "home" / "sparse"):
        assert copy.stat().st_blocks * 512 <= 2 * CELL_BYTES
        assert _digest(copy) == _digest(here)
    with (tmp_path / "empty").open("wb") as file:
        file.truncate(3 * CELL_BYTES)
    assert send_tree(session, tmp_path / "empty", str(there / "empty")).bytes_sent == 0
    fetch_tree(session, str(there), tmp_path / "home", [_digest(tmp_path / "empty")])
    assert _digest(tmp_path / "home" / "empty") == _digest(there / "empty") == _digest(tmp_path / "empty")


def test_a_staged_cell_that_is_wrong_is_fetched_again_and_no_other(
    session: Session, there: Path, tmp_path: Path
) -> None:
    """What lies staged from earlier is proven by the whole file's digest; only what differs is fetched once more."""
    big = _big(there / "big")
    stage = tmp_path / "home" / STAGE_PREFIX
    stage.mkdir(parents=True)
    data = bytearray(big.read_bytes())
    data[CELL_BYTES + 7] ^= 1
    part = Path(part_path(stage, "big"))
    part.parent.mkdir()
    part.write_bytes(data)
    lengths = [CELL_BYTES] * 6 + [12_345]
    (stage / f"{part_name('big')}.cells").write_bytes(b"".join((one + 1).to_bytes(8, "little") for one in lengths))
    fetched = fetch_tree(session, str(there), tmp_path / "home", [_digest(big)])
    assert fetched.bytes_received == CELL_BYTES
    assert _digest(tmp_path / "home" / "big") == _digest(big)


def test_a_big_file_that_is_not_the_manifests_is_refused(session: Session, there: Path, tmp_path: Path) -> None:
    """The machine's own words about its file do not count; the manifest's digest does."""
    big = _big(there / "big", BIG_FILE_BYTES)
    with pytest.raises(TransferError, match="not what the machine's manifest says"):
        fetch_tree(session, str(there), tmp_path / "home", [FileDigest("big", big.stat().st_size, "0" * 64)])
    assert not (tmp_path / "home" / "big").exists()


def test_only_the_changed_part_of_many_files_travels(session: Session, there: Path, tmp_path: Path) -> None:
    """Unchanged files are known by content, even with other times; a file of the same size and time is not trusted."""
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(os.urandom(1000))
    send_tree(session, tmp_path, str(there))
    status = (tmp_path / "7").stat()
    (tmp_path / "7").write_bytes(os.urandom(1000))
    os.utime(tmp_path / "7", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(tmp_path / "8", (1, 1))
    sent = send_tree(session, tmp_path, str(there))
    assert (sent.files, sent.bytes_sent) == (1, 1000)
    assert (there / "7").read_bytes() == (tmp_path / "7").read_bytes()


def test_of_a_big_file_only_changed_cells_travel(session: Session, there: Path, tmp_path: Path) -> None:
    """The machine takes the others from its older file; one that has grown keeps what it had."""
    here = _big(tmp_path / "big", 3 * CELL_BYTES)
    send_tree(session, here, str(there / "big"))
    with here.open("r+b") as file:
        file.seek(CELL_BYTES + 17)
        file.write(b"changed")
    assert send_tree(session, here, str(there / "big")).bytes_sent == CELL_BYTES
    assert _digest(there / "big") == _digest(here)
    with here.open("ab") as file:
        file.write(b"more")
    assert send_tree(session, here, str(there / "big")).bytes_sent == 4
    assert _digest(there / "big") == _digest(here)
    assert [path.name for path in there.iterdir()] == ["big"]


def test_links_are_kept_where_that_is_wanted(session: Session, there: Path, tmp_path: Path) -> None:
    """A link inside the folder stays a link, over an older file too; one that leads out is refused by name."""
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "here" / "file").write_text("x")
    (tmp_path / "here" / "sub" / "link").symlink_to("../file")
    (there / "sub").mkdir(parents=True)
    (there / "sub" / "link").write_text("old")
    send_tree(session, tmp_path / "here", str(there), links="keep")
    assert (there / "sub" / "link").is_symlink()
    assert (there / "sub" / "link").read_text() == "x"
    (tmp_path / "here" / "out").symlink_to("sub/../../secret")
    with pytest.raises(TransferError, match=r"lead out of it.*'out'"):
        send_tree(session, tmp_path / "here", str(there), links="keep")


def test_no_more_bytes_a_second_than_allowed(session: Session, there: Path, tmp_path: Path) -> None:
    """The limit holds for all connections together, both ways."""
    here = _big(tmp_path / "big", 3_000_000)
    for transfer in (
        lambda: send_tree(session, here, str(there / "big"), limit_bytes_per_second=2e6),
        lambda: fetch_tree(session, str(there), tmp_path / "home", [_digest(here)], limit_bytes_per_second=2e6),
    ):
        began = time.monotonic()
        transfer()
        # A quarter of a second's worth may go at once.
        assert time.monotonic() - began >= 1.2


def test_two_commands_do_not_fill_one_folder(session: Session, there: Path, tmp_path: Path) -> None:
    """The second one is told, and what the first one has staged stays."""
    _big(there / "a", 10)
    stage = tmp_path / STAGE_PREFIX
    stage.mkdir()
    with (stage / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TransferError, match="another command"):
            fetch_tree(session, str(there), tmp_path, [_digest(there / "a")])
    fetch_tree(session, str(there), tmp_path, [_digest(there / "a")])


_CHILD = """
import json, sys
from pathlib import Path
from remote.fetch import fetch_tree
from remote.session import Session
from remote.transfer import send_tree
from remote.types import Endpoint, FileDigest
told = json.loads(sys.argv[1])
endpoint = Endpoint(told["host"], told["port"], told["user"], Path(told["key"]), tuple(told["host_keys"]))
with Session.connect(endpoint, deadline_seconds=60) as session:
    send_tree(session, Path(told["here"]), told["there"] + "/big", lanes=2)
    fetch_tree(session, told["there"], Path(told["home"]), [FileDigest("big", told["size"], told["sha256"])], lanes=2)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def test_memory_does_not_grow_with_the_file(machine: SshMachine, there: Path, tmp_path: Path) -> None:
    """A file six times as large takes no more than a few MiB more, there and back."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to know the peak")
    peaks = []
    for size in (BIG_FILE_BYTES, 6 * BIG_FILE_BYTES):
        here = _big(tmp_path / f"{size}" / "big", size)
        endpoint = machine.endpoint
        told = {
            "host": endpoint.host, "port": endpoint.port, "user": endpoint.username, "key": str(endpoint.key_file),
            "host_keys": endpoint.host_keys, "here": str(here), "there": f"{there}-{size}",
            "home": str(tmp_path / f"home-{size}"), "size": size, "sha256": _digest(here).sha256,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, json.dumps(told)], capture_output=True, check=True, text=True
        )
        peaks.append(int(done.stdout) * 1024)
    assert peaks[1] - peaks[0] < 24 * 2**20


def test_lanes_are_chosen_by_size_link_and_cores() -> None:
    """Little goes over the session alone; much takes a connection for each core, and more on a long link."""
    assert lanes_for(Load(10_000_000), 0.0002, cores=16) == 0
    assert lanes_for(Load(2**31), 0.0002, cores=2) == 2
    assert lanes_for(Load(2**31), 0.0002, cores=16) == 4
    assert lanes_for(Load(2**31), 0.05, cores=2) == 6
    assert lanes_for(Load(2**31), 0.15, cores=2) == 8
    assert lanes_for(Load(1_000_000), 0.15, cores=2) == 0
    # Many small files keep the disk busy, and no connection more makes that shorter.
    assert lanes_for(Load(41_000_000, 10_000), 0.05, cores=2) == 0
    assert lanes_for(Load(41_000_000, 10_000), 0.15, cores=2) == 2
    assert lanes_for(Load(41_000_000, 10_000, comes_home=True), 0.15, cores=2) == 0
    # As many would sign in until all is there.
    assert lanes_for(Load(2**26), 0.05, cores=2) == 2
