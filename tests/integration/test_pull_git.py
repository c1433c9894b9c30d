"""Repositories of git with large files, fetched by the machine's program; git and git-lfs are the real ones."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.pull_program import begin, pull

if TYPE_CHECKING:
    from pathlib import Path

LARGE = os.urandom(3_000_000)


def git(folder: Path, *words: str) -> str:
    """Run git there, without the settings of whoever runs the tests."""
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": str(folder.parent / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@x", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@x",
    }  # fmt: skip
    done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with a model: two large files by git lfs, and small ones."""
    if subprocess.run(["git", "lfs", "version"], capture_output=True, check=False).returncode != 0:
        assert "CI" not in os.environ, "CI must have git-lfs"
        pytest.skip("needs git-lfs")
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "lfs", "install")
    git(folder, "lfs", "track", "*.safetensors", "*.bin")
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model, one.safetensors").write_bytes(LARGE)
    (folder / "pytorch_model.bin").write_bytes(b"the same once more")
    (folder / "sub").mkdir()
    (folder / "sub" / "odd [name] é.txt").write_bytes(b"odd")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit everything."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a folder without ours."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".llamalift-pull" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_large_files_come_and_lie_there_once(origin: Path, tmp_path: Path) -> None:
    """As their content, not as pointers; git's own store keeps no second copy; then nothing is fetched again."""
    target = tmp_path / "t"
    answer = pull("git", target, url=f"file://{origin}", revision="main", is_model=True)
    assert answer.error == "", answer.said
    expected = {"config.json", "model, one.safetensors", "sub/odd [name] é.txt", ".gitattributes"}
    assert set(files_in(target)) == expected
    assert (target / "model, one.safetensors").read_bytes() == LARGE
    store = target / ".llamalift-pull" / "git"
    assert sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) < len(LARGE)
    again = pull("git", target, url=f"file://{origin}", is_model=True)
    assert again.said["fetched_bytes"] == 0


def test_what_is_damaged_or_new_comes_again(origin: Path, tmp_path: Path) -> None:
    """Compared by content; another commit brings what it changed."""
    target = tmp_path / "t"
    pull("git", target, url=f"file://{origin}", is_model=True)
    # From a folder of the same disk git-lfs makes a link, and the origin is to stay as it is.
    (target / "model, one.safetensors").unlink()
    (target / "model, one.safetensors").write_bytes(bytes(len(LARGE)))
    (target / "config.json").write_bytes(b"[]")
    again = pull("git", target, url=f"file://{origin}", is_model=True)
    assert again.error == "", again.said
    assert again.said["fetched_bytes"] == len(LARGE) + 2
    (origin / "config.json").write_bytes(b'{"a": 1}')
    commit(origin)
    pull("git", target, url=f"file://{origin}", is_model=True)
    assert (target / "config.json").read_bytes() == b'{"a": 1}'
    assert (target / "model, one.safetensors").read_bytes() == LARGE


def test_one_file_and_a_fixed_commit(origin: Path, tmp_path: Path) -> None:
    """A tag and a commit are revisions, too; of one file the answer is its path."""
    git(origin, "tag", "v1")
    first = git(origin, "rev-parse", "HEAD")
    (origin / "config.json").write_bytes(b"[]")
    commit(origin)
    for revision in ("v1", first):
        answer = pull("git", tmp_path / revision, url=f"file://{origin}", revision=revision, file="config.json")
        assert answer.path == str(tmp_path / revision / "config.json")
        assert files_in(tmp_path / revision) == {"config.json": b"{}"}


def test_what_is_not_there_is_told_apart(origin: Path, tmp_path: Path) -> None:
    """Revision, file, repository."""
    assert pull("git", tmp_path / "a", url=f"file://{origin}", revision="nope").error == "revision"
    assert pull("git", tmp_path / "b", url=f"file://{origin}", file="nope.json").error == "file"
    assert pull("git", tmp_path / "c", url=f"file://{tmp_path}/gone").error == "missing"


def test_a_lost_large_file_is_no_model(origin: Path, tmp_path: Path) -> None:
    """A server that has the pointer and not the content, or other content: nothing appears under the name."""
    objects = [path for path in (origin / ".git" / "lfs" / "objects").rglob("*") if path.is_file()]
    for path in objects:
        path.chmod(0o644)
        path.write_bytes(bytes(path.stat().st_size))
    answer = pull("git", tmp_path / "t", url=f"file://{origin}")
    assert answer.error in {"damaged", "missing", "network"}
    assert not (tmp_path / "t" / "model, one.safetensors").exists()


def test_links_are_refused(origin: Path, tmp_path: Path) -> None:
    """A symbolic link in a repository may lead anywhere."""
    (origin / "link").symlink_to("/etc/passwd")
    commit(origin)
    assert pull("git", tmp_path / "t", url=f"file://{origin}").error == "hostile"
    assert not files_in(tmp_path / "t")


def test_a_killed_program_is_taken_up(origin: Path, tmp_path: Path) -> None:
    """SIGKILL at its first words, again and again; the end is right."""
    target = tmp_path / "t"
    for _ in range(3):
        process = begin({"kind": "git", "target": str(target), "url": f"file://{origin}", "choose": True})
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate()
    assert pull("git", target, url=f"file://{origin}", is_model=True).error == ""
    assert (target / "model, one.safetensors").read_bytes() == LARGE
