from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from remote.errors import TransferError
from remote.tree import scan

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_files_and_empty_folders(tmp_path: Path) -> None:
    """Paths are relative and sorted, the owner's execute bit is kept, unfinished fetches are left out."""
    (tmp_path / "b" / "empty").mkdir(parents=True)
    (tmp_path / ".llamalift-part").mkdir()
    (tmp_path / ".llamalift-part" / "x").touch()
    (tmp_path / "b" / "tool").write_text("x")
    (tmp_path / "b" / "tool").chmod(0o700)
    (tmp_path / "-a\n é").write_text("12")
    tree = scan(tmp_path, "/w/x/")
    assert tree.root == "/w/x"
    assert [(file.path, file.size_bytes, file.mode) for file in tree.files] == [
        ("-a\n é", 2, 0o644),
        ("b/tool", 1, 0o755),
    ]
    assert tree.empty_folders == ("b/empty",)


def test_a_file_goes_to_its_target(tmp_path: Path) -> None:
    """The target is the file's own path there, so it may change its name; a link to it is followed."""
    (tmp_path / "here").write_text("123")
    (tmp_path / "link").symlink_to("here")
    tree = scan(tmp_path / "link", "/w/there")
    assert (tree.root, tree.files[0].path, tree.files[0].size_bytes) == ("/w", "there", 3)


def test_links_and_special_files_are_refused_by_name(tmp_path: Path) -> None:
    """Nothing is followed out of the folder, and nothing is left out silently."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "dir").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(TransferError) as caught:
            scan(tmp_path, "/w")
    for name in ("link", "dir", "fifo", "s"):
        assert repr(name) in caught.value.fact
    assert "cp -RL" in caught.value.hint


@pytest.mark.parametrize("target", ["relative", "", "~/x"])
def test_targets_are_absolute(tmp_path: Path, target: str) -> None:
    """Where something lands must not depend on the machine's home folder."""
    with pytest.raises(TransferError):
        scan(tmp_path, target)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing source is named."""
    with pytest.raises(TransferError, match="nothing-here"):
        scan(tmp_path / "nothing-here", "/w/x")
