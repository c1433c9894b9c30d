from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remote.errors import TransferError
from remote.ignore import RULES_FILE, rules_for
from remote.tree import scan

if TYPE_CHECKING:
    from pathlib import Path


def _tree(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    return folder


def _sent(folder: Path, *patterns: str) -> list[str]:
    return [file.path for file in scan(folder, "/w", ignore=patterns).files]


def test_git_is_never_sent(tmp_path: Path) -> None:
    """Neither the folder nor the file of a worktree, at any depth; names that only begin like it are."""
    _tree(tmp_path, ".git/config", "sub/.git", ".gitignore", "a.git")
    assert _sent(tmp_path) == [".gitignore", "a.git"]


def test_the_syntax_is_gitignores(tmp_path: Path) -> None:
    """Anchors, folders, double stars, comments and exceptions; a folder that is left out is not looked into."""
    _tree(tmp_path, "a.tmp", "keep.tmp", "build/x", "sub/build", "sub/deep/y.log", "out/1", "sub/out/1", "# odd")
    rules = ["*.tmp", "!keep.tmp", "build/", "# a comment", "/out", "**/deep/*.log", "\\# odd"]
    assert _sent(tmp_path, *rules) == ["keep.tmp", "sub/build", "sub/out/1"]


def test_the_folders_own_rules_come_first(tmp_path: Path) -> None:
    """The run file has the last word."""
    _tree(tmp_path, "a.log", "b.log", "c.bin")
    (tmp_path / RULES_FILE).write_text("*.log\n")
    assert _sent(tmp_path) == [RULES_FILE, "c.bin"]
    assert _sent(tmp_path, "!b.log", "*.bin", RULES_FILE) == ["b.log"]


def test_links_that_are_left_out_are_not_refused(tmp_path: Path) -> None:
    """A rule is a way out where a folder holds a link that must not go."""
    _tree(tmp_path, "a")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert _sent(tmp_path, "link") == ["a"]
    assert rules_for(tmp_path, ["link"]).ignores("link", is_folder=False)


def test_a_folder_of_which_nothing_is_sent_is_an_empty_one(tmp_path: Path) -> None:
    """It exists on the machine, too."""
    _tree(tmp_path, "logs/a.log")
    assert scan(tmp_path, "/w", ignore=["*.log"]).empty_folders == ("logs",)


def test_rules_that_make_no_sense_are_told(tmp_path: Path) -> None:
    """Neither a pattern without meaning nor a file that is not text is guessed at."""
    (tmp_path / RULES_FILE).write_bytes(b"\xff\xfe\n")
    with pytest.raises(TransferError, match="not a rule"):
        rules_for(tmp_path)
    (tmp_path / RULES_FILE).write_text("!\n")
    with pytest.raises(TransferError, match="not a rule"):
        rules_for(tmp_path)
