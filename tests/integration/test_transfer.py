from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote.command import Command
from remote.errors import TransferError, UnreachableError
from remote.fetch import fetch_tree
from remote.session import Session
from remote.transfer import send_bytes, send_tree
from remote.types import FileDigest
from templates.transfer.bundle import STAGE_PREFIX, part_path
from tests.fakes.ssh_machine import SshMachine, ssh_machine
from tests.fakes.tcp_proxy import tcp_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD_NAMES = ("a b", "new\nline", "-rf", "ünï çødé", "$(touch x)", "'\"`", "*?[a]", "a" * 200, ".hidden", "back\\slash")


@pytest.fixture
def session(machine: SshMachine) -> Iterator[Session]:
    """A connection of its own for each test."""
    with Session.connect(machine.endpoint, deadline_seconds=20) as connected:
        yield connected


def _content(folder: Path) -> dict[str, bytes | None]:
    """Every file with its bytes, every folder with None."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def _manifest(folder: Path) -> list[FileDigest]:
    return [
        FileDigest(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in sorted(_content(folder).items())
        if data is not None
    ]


def _odd_tree(folder: Path) -> Path:
    for index, name in enumerate(ODD_NAMES):
        (folder / name).mkdir(parents=True)
        (folder / name / name).write_bytes(os.urandom(index * 100))
    (folder / "empty file").touch()
    (folder / "empty" / "folder").mkdir(parents=True)
    return folder


def test_a_tree_of_odd_names_arrives_as_it_is(session: Session, there: Path, tmp_path: Path) -> None:
    """Spaces, newlines, dashes, quotes, Unicode, empty files and folders; a second time nothing is sent."""
    here = _odd_tree(tmp_path / "here")
    sent = send_tree(session, here, str(there))
    assert _content(there) == _content(here)
    assert sent.files == len(_manifest(here))
    again = send_tree(session, here, str(there))
    assert (again.files, again.bytes_sent, again.bytes_skipped) == (0, 0, sent.bytes_sent)


def test_a_tree_of_odd_names_comes_home_as_it_is(session: Session, there: Path, tmp_path: Path) -> None:
    """The same on the way back; what is here already is not fetched again."""
    _odd_tree(there)
    manifest = _manifest(there)
    fetched = fetch_tree(session, str(there), tmp_path / "home", manifest)
    assert _manifest(tmp_path / "home") == manifest
    assert fetched.files == len(manifest)
    assert fetch_tree(session, str(there), tmp_path / "home", manifest).bytes_received == 0


def test_ten_thousand_small_files(session: Session, there: Path, tmp_path: Path) -> None:
    """Three round trips, however many files: they go and come back whole."""
    here = tmp_path / "here"
    for folder in range(10):
        (here / str(folder)).mkdir(parents=True)
        for number in range(1000):
            (here / str(folder) / f"{number}.txt").write_bytes(b"%d-%d" % (folder, number))
    assert send_tree(session, here, str(there)).files == 10_000
    manifest = _manifest(here)
    assert fetch_tree(session, str(there), tmp_path / "home", manifest).files == 10_000
    assert _manifest(tmp_path / "home") == manifest


def test_a_big_file_goes_and_comes_back(session: Session, there: Path, tmp_path: Path) -> None:
    """200 MB, with progress that never goes back and ends at the total."""
    size = 200_000_000
    here = tmp_path / "big.bin"
    here.write_bytes((os.urandom(1_000_003) * 200)[:size])
    seen: list[tuple[int, int]] = []
    send_tree(session, here, str(there / "big.bin"), progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)
    digest = hashlib.sha256(here.read_bytes()).hexdigest()
    home = tmp_path / "home"
    fetch_tree(session, str(there), home, [FileDigest("big.bin", size, digest)])
    assert hashlib.sha256((home / "big.bin").read_bytes()).hexdigest() == digest
    assert [path.name for path in home.iterdir()] == ["big.bin"]


def test_a_file_may_change_its_name(session: Session, there: Path, tmp_path: Path) -> None:
    """A file goes to the target's own path; its execute bit goes with it, the rest of its mode does not."""
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o700)
    send_tree(session, tmp_path / "tool", str(there / "sub" / "other"))
    assert stat.S_IMODE((there / "sub" / "other").stat().st_mode) == 0o755
    assert [path.name for path in (there / "sub").iterdir()] == ["other"]


def test_only_what_differs_is_sent(session: Session, there: Path, tmp_path: Path) -> None:
    """Same size, other content: sent. Files of the machine's own stay."""
    (tmp_path / "a").write_bytes(b"aaaa")
    (tmp_path / "b").write_bytes(b"bbbb")
    send_tree(session, tmp_path, str(there))
    (there / "own").write_text("own")
    (there / "a").write_bytes(b"AAAA")
    sent = send_tree(session, tmp_path, str(there))
    assert (sent.files, sent.bytes_sent, sent.bytes_skipped) == (1, 4, 4)
    assert (there / "a").read_bytes() == b"aaaa"
    assert (there / "own").read_text() == "own"


def test_a_cut_upload_goes_on_where_it_stopped(machine: SshMachine, there: Path, tmp_path: Path) -> None:
    """The connection breaks in the middle of a big file: no file under its name, and the rest alone is sent later."""
    (tmp_path / "big").write_bytes(os.urandom(60_000_000))
    with tcp_proxy(machine.endpoint.port) as line:
        with Session.connect(machine.at(line.port), deadline_seconds=20) as session:
            line.cut_after_bytes = line.carried_bytes + 30_000_000
            with pytest.raises(UnreachableError):
                send_tree(session, tmp_path, str(there))
        assert not (there / "big").exists()
        line.cut_after_bytes = None
        with Session.connect(machine.at(line.port), deadline_seconds=20) as session:
            sent = send_tree(session, tmp_path, str(there))
    assert sent.bytes_sent < 45_000_000
    assert _content(there) == {"big": (tmp_path / "big").read_bytes()}


def test_a_cut_upload_of_many_files_keeps_the_whole_ones(machine: SshMachine, there: Path, tmp_path: Path) -> None:
    """No file is ever partly there; a second call sends the rest."""
    for number in range(400):
        (tmp_path / str(number)).write_bytes(os.urandom(50_000))
    with tcp_proxy(machine.endpoint.port) as line:
        with Session.connect(machine.at(line.port), deadline_seconds=20) as session:
            line.cut_after_bytes = line.carried_bytes + 10_000_000
            with pytest.raises(UnreachableError):
                send_tree(session, tmp_path, str(there))
        here = _content(tmp_path)
        kept = {path: data for path, data in _content(there).items() if not path.startswith(".llamalift-part")}
        assert all(here[path] == data for path, data in kept.items())
        line.cut_after_bytes = None
        with Session.connect(machine.at(line.port), deadline_seconds=20) as session:
            send_tree(session, tmp_path, str(there))
    assert _content(there) == _content(tmp_path)


def test_a_cut_download_goes_on_where_it_stopped(machine: SshMachine, there: Path, tmp_path: Path) -> None:
    """The same on the way home."""
    there.mkdir()
    (there / "big").write_bytes(os.urandom(60_000_000))
    manifest = _manifest(there)
    with tcp_proxy(machine.endpoint.port) as line:
        with Session.connect(machine.at(line.port), deadline_seconds=20) as session:
            line.cut_after_bytes = line.carried_bytes + 30_000_000
            with pytest.raises(UnreachableError):
                fetch_tree(session, str(there), tmp_path, manifest)
        assert not (tmp_path / "big").exists()
        line.cut_after_bytes = None
        with Session.connect(machine.at(line.port), deadline_seconds=20) as session:
            fetched = fetch_tree(session, str(there), tmp_path, manifest)
    assert 0 < fetched.bytes_received < 45_000_000
    assert _manifest(tmp_path) == manifest


def test_a_partial_file_of_other_content_is_begun_again(session: Session, there: Path, tmp_path: Path) -> None:
    """What is staged counts only if it is the beginning of this very file."""
    (tmp_path / "a").write_bytes(b"12345")
    send_tree(session, tmp_path, str(there))
    stage = there / ".llamalift-part"
    stage.mkdir()
    Path(part_path(stage, "a")).parent.mkdir()
    Path(part_path(stage, "a")).write_bytes(b"999")
    (tmp_path / "a").write_bytes(b"67890")
    assert send_tree(session, tmp_path, str(there)).bytes_sent == 5
    assert _content(there) == {"a": b"67890"}


def test_files_that_are_not_what_the_manifest_says_are_refused(session: Session, there: Path, tmp_path: Path) -> None:
    """Another content, size or no file at all: a TransferError, and nothing under that name here."""
    there.mkdir()
    (there / "a").write_bytes(b"12345")
    right = hashlib.sha256(b"12345").hexdigest()
    for wrong in (FileDigest("a", 5, "0" * 64), FileDigest("a", 4, right), FileDigest("missing", 5, right)):
        with pytest.raises(TransferError):
            fetch_tree(session, str(there), tmp_path / "home", [wrong])
    # What came so far is kept for the next try, out of everybody's way.
    assert [path.name for path in (tmp_path / "home").iterdir()] == [STAGE_PREFIX]
    assert stat.S_IMODE((tmp_path / "home" / STAGE_PREFIX).stat().st_mode) == 0o700


def test_a_hostile_manifest_asks_for_nothing(session: Session, there: Path, tmp_path: Path) -> None:
    """A path that leads outside is refused before the machine is asked."""
    with pytest.raises(TransferError, match="outside"):
        fetch_tree(session, str(there), tmp_path / "home", [FileDigest("../evil", 1, "0" * 64)])
    assert not (tmp_path / "home").exists()


def test_links_in_the_way_are_not_followed(session: Session, there: Path, tmp_path: Path) -> None:
    """A link in the local target cannot lead the model elsewhere."""
    (there / "sub").mkdir(parents=True)
    (there / "sub" / "a").write_bytes(b"1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TransferError, match="link"):
        fetch_tree(session, str(there), tmp_path / "home", _manifest(there))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_what_does_not_fit_is_told_before_the_first_byte(session: Session, there: Path, tmp_path: Path) -> None:
    """A sparse file larger than the disk, in both directions."""
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(TransferError, match="do not fit on the machine"):
        send_tree(session, huge, str(there / "huge"))
    with pytest.raises(TransferError, match="do not fit here"):
        fetch_tree(session, str(tmp_path), tmp_path / "home", [FileDigest("huge", 2**43, "0" * 64)])


def test_a_folder_that_is_in_the_way_is_told(session: Session, there: Path, tmp_path: Path) -> None:
    """A file cannot replace a folder; the machine's own words say so."""
    (there / "a").mkdir(parents=True)
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(TransferError):
        send_tree(session, tmp_path, str(there))


def test_bytes_become_a_private_file(session: Session, there: Path) -> None:
    """The mode is the asked one, the content is replaced at once, and nothing else is left in the folder."""
    target = str(there / "deep" / "file")
    send_bytes(session, b"1", target)
    send_bytes(session, b"secret", target, mode=0o600)
    path = there / "deep" / "file"
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_machine_in_the_c_locale_keeps_names(tmp_path: Path) -> None:
    """A bare image knows no UTF-8 locale; names do not suffer."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "ünï").write_bytes(b"1")
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    with ssh_machine(tmp_path / "m", environment=bare) as machine:
        there = machine.workspace / "there"
        with Session.connect(machine.endpoint, deadline_seconds=20) as session:
            assert session.run(Command.of("printenv", "LC_ALL")).stdout == b"C\n"
            send_tree(session, here, str(there))
            fetch_tree(session, str(there), tmp_path / "home", _manifest(there))
    assert _content(there) == _content(tmp_path / "home") == {"ünï": b"1"}
