"""Files of the web, fetched by the machine's program from a real server on the loopback."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from templates.training.pull.errors import PullError
from templates.training.pull.ranges import RemoteFile, pull_files
from templates.training.pull.staged import CELL_BYTES
from templates.training.pull.web import shown
from tests.fakes.pull_program import begin, pull
from tests.fakes.small_disk import small_disk
from tests.fakes.web_server import WebServer, web_server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

BIG = os.urandom(3 * CELL_BYTES + 12345)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server with one file of four cells and one small file."""
    with web_server() as served:
        served.files |= {"big.bin": BIG, "rows.json": b"[1]", "empty.json": b""}
        yield served


def test_a_file_comes_in_ranges_and_is_kept(web: WebServer, tmp_path: Path) -> None:
    """Several ranges, each once; a second time the file is known by its digest and nothing is fetched."""
    answer = pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin")
    assert (tmp_path / "big.bin").read_bytes() == BIG
    assert answer.path == str(tmp_path / "big.bin")
    assert answer.said["fetched_bytes"] == web.sent_bytes == len(BIG)
    assert sum(line.startswith("GET") for line in web.requests) == 4
    again = pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin")
    assert (again.said["fetched_bytes"], again.said["bytes"]) == (0, len(BIG))


@pytest.mark.parametrize("name", ["rows.json", "empty.json"])
def test_a_server_that_tells_nothing_is_believed_by_length(web: WebServer, tmp_path: Path, name: str) -> None:
    """No ranges, no digests: what came is remembered by its SHA-256, and a change of it on the disk is found."""
    web.ranges = web.digests = False
    assert pull("web", tmp_path, url=f"{web.url}/{name}", name=name).error == ""
    assert (tmp_path / name).read_bytes() == web.files[name]
    assert pull("web", tmp_path, url=f"{web.url}/{name}", name=name).said["fetched_bytes"] == 0
    (tmp_path / name).write_bytes(b"[2]"[: len(web.files[name])] or b"x")
    pull("web", tmp_path, url=f"{web.url}/{name}", name=name)
    assert (tmp_path / name).read_bytes() == web.files[name]


@pytest.mark.parametrize("has_ranges", [True, False])
def test_cut_connections_are_taken_up(web: WebServer, tmp_path: Path, has_ranges: bool) -> None:  # noqa: FBT001
    """Each answer is cut in the middle until the server has had enough; with ranges no byte comes twice."""
    web.ranges, web.cut_after, web.cuts = has_ranges, 1_000_000, 5
    answer = pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin")
    assert (tmp_path / "big.bin").read_bytes() == BIG
    if has_ranges:
        assert answer.said["fetched_bytes"] == len(BIG)


def test_a_wrong_file_never_appears(web: WebServer, tmp_path: Path) -> None:
    """Bytes that are not what the server's digest says, or not the run file's, are refused and nothing stays."""
    web.damage.add("big.bin")
    assert pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin").error == "damaged"
    assert not (tmp_path / "big.bin").exists()
    web.damage.clear()
    wrong = pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin", sha256="0" * 64)
    assert wrong.error == "damaged"
    assert [path.name for path in tmp_path.iterdir()] == [".llamalift-pull"]
    assert not list((tmp_path / ".llamalift-pull").glob("*.part"))
    right = hashlib.sha256(BIG).hexdigest()
    assert pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin", sha256=right).error == ""


@pytest.mark.parametrize(("status", "kind"), [(401, "denied"), (403, "denied"), (404, "missing"), (410, "missing")])
def test_what_may_not_be_had_is_told_apart(web: WebServer, tmp_path: Path, status: int, kind: str) -> None:
    """At once, without trying again."""
    web.refuse["big.bin"] = status
    assert pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin").error == kind
    assert len(web.requests) == 2


def test_redirects_are_followed_and_never_off_encryption(web: WebServer, tmp_path: Path) -> None:
    """To another path of this computer; not to a host elsewhere without TLS, nor to Azure's metadata."""
    web.redirects |= {"latest": "/big.bin", "open": "http://169.254.169.254/metadata/x", "round": "/round"}
    assert pull("web", tmp_path, url=f"{web.url}/latest", name="big.bin").error == ""
    assert pull("web", tmp_path, url=f"{web.url}/open", name="x.json").error == "hostile"
    assert pull("web", tmp_path, url=f"{web.url}/round", name="x.json").error == "other"


def test_a_file_that_changes_meanwhile_is_not_put_together(web: WebServer, tmp_path: Path) -> None:
    """Parts of two versions never become one file."""
    web.hold = threading.Event()
    process = begin({"kind": "web", "target": str(tmp_path), "url": f"{web.url}/big.bin", "name": "big.bin"})
    assert web.held.wait(20)
    web.files["big.bin"] = os.urandom(len(BIG))
    web.digests = False
    web.hold.set()
    output, _ = process.communicate(timeout=60)
    if b'"changed"' not in output:
        # All ranges had begun before the change: then the digest told at the beginning is the judge.
        assert (tmp_path / "big.bin").read_bytes() == BIG
    web.hold = None
    assert pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin").error == ""
    assert (tmp_path / "big.bin").read_bytes() == web.files["big.bin"]


def test_a_killed_program_is_taken_up(web: WebServer, tmp_path: Path) -> None:
    """SIGKILL in the middle: what was whole is not fetched again, and the end is right."""
    data = os.urandom(6 * CELL_BYTES)
    web.files["huge.bin"] = data
    process = begin({"kind": "web", "target": str(tmp_path), "url": f"{web.url}/huge.bin", "name": "huge.bin"})
    assert process.stdout is not None
    for line in process.stdout:
        if b"done_bytes" in line:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    cells = next((tmp_path / ".llamalift-pull").glob("*.cells"), None)
    whole = len(cells.read_text().splitlines()) - 1 if cells else 0
    answer = pull("web", tmp_path, url=f"{web.url}/huge.bin", name="huge.bin")
    assert (tmp_path / "huge.bin").read_bytes() == data
    if cells:
        assert answer.said["fetched_bytes"] == len(data) - whole * CELL_BYTES


def test_parts_that_lie_are_found(web: WebServer, tmp_path: Path) -> None:
    """What a record says is there and is not (a disk after a loss of power): the digest tells, all comes anew."""
    with pytest.raises(PullError):
        pull_files(tmp_path, [_file(web, fail_from=CELL_BYTES)], lambda _done, _total: None, connections=1, patience=())
    part = next((tmp_path / ".llamalift-pull").glob("*.part"))
    with part.open("r+b") as file:
        file.write(bytes(4096))
    done = pull_files(tmp_path, [_file(web)], lambda _done, _total: None)
    assert (tmp_path / "big.bin").read_bytes() == BIG
    assert done.fetched_bytes > len(BIG)


def test_an_orphan_gives_way(web: WebServer, tmp_path: Path) -> None:
    """A program whose client vanished silently is ended by the next one, which goes on where it was."""
    web.hold = threading.Event()
    orphan = begin({"kind": "web", "target": str(tmp_path), "url": f"{web.url}/big.bin", "name": "big.bin"})
    assert web.held.wait(20)
    web.hold.set()
    web.hold = None
    assert pull("web", tmp_path, url=f"{web.url}/big.bin", name="big.bin").error == ""
    assert (tmp_path / "big.bin").read_bytes() == BIG
    _reap(orphan)


def test_a_full_disk_keeps_what_it_has(web: WebServer, tmp_path: Path) -> None:
    """Too large is said before the first byte; a disk that fills up meanwhile, when it happens; room mends both."""
    with small_disk(tmp_path, 40) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(20 << 20))
        assert pull("web", disk / "t", url=f"{web.url}/big.bin", name="big.bin").error == "space"
        assert web.sent_bytes == 0
        ballast.unlink()
        # It fits when it begins; what is written beside it takes the room.
        web.hold = threading.Event()
        process = begin({"kind": "web", "target": str(disk / "t"), "url": f"{web.url}/big.bin", "name": "big.bin"})
        assert web.held.wait(20)
        with contextlib.suppress(OSError):
            ballast.write_bytes(bytes(35 << 20))
        web.hold.set()
        web.hold = None
        assert b'"space"' in process.communicate(timeout=60)[0]
        assert not (disk / "t" / "big.bin").exists()
        ballast.unlink()
        assert pull("web", disk / "t", url=f"{web.url}/big.bin", name="big.bin").error == ""
        assert (disk / "t" / "big.bin").read_bytes() == BIG


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "a//b", ".llamalift-pull/x", "a\0b", "", "n" * 300, "a/."]
)
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    """Whatever a source names: nothing is written."""
    with pytest.raises(PullError, match="leads outside"):
        pull_files(tmp_path / "t", [RemoteFile(name, 1, "1", {}, _never)], lambda _done, _total: None)
    assert not (tmp_path / "t").exists()


def test_links_in_the_way_are_not_followed(web: WebServer, tmp_path: Path) -> None:
    """A symbolic link in the target, as a folder or in place of the file, leads nowhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a").symlink_to(outside)
    with pytest.raises(PullError, match="symbolic link"):
        pull_files(tmp_path / "t", [RemoteFile("a/x", 1, "1", {}, _never)], lambda _done, _total: None)
    (outside / "mine").write_text("mine")
    (tmp_path / "t" / "rows.json").symlink_to(outside / "mine")
    assert pull("web", tmp_path / "t", url=f"{web.url}/rows.json", name="rows.json").error == ""
    assert (outside / "mine").read_text() == "mine"
    assert not (tmp_path / "t" / "rows.json").is_symlink()


def test_an_archive_is_unpacked_once(web: WebServer, tmp_path: Path) -> None:
    """Its one folder is left out; a second time it is known to be there; a damaged file brings it again."""
    web.files["m.tar.gz"] = _tar({"model/config.json": b"{}", "model/sub/w.safetensors": b"w"})
    words: dict[str, Any] = {"url": f"{web.url}/m.tar.gz", "name": "m.tar.gz", "unpack": True}
    assert pull("web", tmp_path, **words).path == str(tmp_path)
    assert (tmp_path / "sub" / "w.safetensors").read_bytes() == b"w"
    assert not (tmp_path / "m.tar.gz").exists()
    assert pull("web", tmp_path, **words).said["fetched_bytes"] == 0
    (tmp_path / "config.json").write_bytes(b"[]")
    pull("web", tmp_path, **words)
    assert (tmp_path / "config.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_an_archive_cannot_write_outside(web: WebServer, tmp_path: Path, name: str) -> None:
    """Climbing names, and links of both kinds, are refused with nothing unpacked."""
    web.files["m.tar"] = _tar({"config.json": b"{}", name: b"x"})
    assert pull("web", tmp_path / "t", url=f"{web.url}/m.tar", name="m.tar", unpack=True).error == "hostile"
    web.files["m.tar"] = _tar({"config.json": b"{}"}, link="link")
    assert pull("web", tmp_path / "t", url=f"{web.url}/m.tar", name="m.tar", unpack=True).error == "hostile"
    assert not (tmp_path / "t" / "config.json").exists()
    assert not (tmp_path / "x").exists()


def test_no_signature_is_shown() -> None:
    """Whoever reads a log must not be able to read what a signed address leads to."""
    assert shown("https://u:p@host:8443/a/b?sig=secret#x") == "https://host:8443/a/b"


def _file(web: WebServer, fail_from: int | None = None) -> RemoteFile:
    def read(start: int, end: int) -> Iterator[bytes]:
        if fail_from is not None and start >= fail_from:
            raise PullError("network", "gone")
        yield web.files["big.bin"][start:end]

    digest = {"sha256": hashlib.sha256(BIG).hexdigest()}
    return RemoteFile("big.bin", len(BIG), "1", digest, read)


def _never(start: int, end: int) -> Iterator[bytes]:
    raise AssertionError((start, end))


def _tar(files: dict[str, bytes], link: str = "") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(entry)
    return target.getvalue()


def _reap(process: subprocess.Popen[bytes]) -> None:
    process.communicate(timeout=60)
