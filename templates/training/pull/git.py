"""A repository of git with its large files: `git` and `git lfs` do the work, and every file is compared in the end.

Only the one commit is fetched. Large files are moved out of git's own store into their place, so that they lie on the
disk once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates.training.pull import GIT_SECRET_VARIABLE
from templates.training.pull.digests import GIT, digests_of, is_same
from templates.training.pull.errors import PullError
from templates.training.pull.names import STAGE, check_names, refuse_links
from templates.training.pull.ranges import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

_HELPER = f'!f() {{ test "$1" = get && echo username=llamalift && echo "password=${GIT_SECRET_VARIABLE}"; }}; f'
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
_MOST_POINTER_BYTES = 1024
_DENIED = re.compile(r"401|403|Authentication failed|could not read Username|terminal prompts disabled", re.IGNORECASE)
_MISSING = re.compile(r"not found|does not exist|does not appear to be a git repository", re.IGNORECASE)
_NO_REVISION = re.compile(r"couldn't find remote ref|not our ref", re.IGNORECASE)
_NO_SPACE = "No space left on device"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of the commit: `sha256` for a large one, else git's own digest of it."""

    path: str
    blob: str
    size: int
    sha256: str | None = None


class GitRepository:
    """One commit of a repository, on its way into a folder."""

    def __init__(self, url: str, revision: str | None, target: Path) -> None:
        """Use `url`, at a branch, tag or commit (None: the default branch)."""
        self._url, self._revision, self._target = url, revision, target
        self._git = target / STAGE / "git"
        self._entries: list[_Entry] = []
        self.commit = ""

    def listing(self) -> dict[str, int]:
        """Fetch the commit without its large files, and give each file's size in bytes.

        Raises:
            PullError: It cannot be had, or names what must not be written.
        """
        if not (self._git / "HEAD").exists():
            shutil.rmtree(self._git, ignore_errors=True)
            self._run("init", "--quiet", "--bare", str(self._git), alone=True)
        self._run("config", "remote.origin.url", self._url)
        self._run("fetch", "--quiet", "--depth", "1", "--no-tags", "origin", self._revision or "HEAD")
        self.commit = self._run("rev-parse", "FETCH_HEAD^{commit}").decode().strip()
        self._entries = self._read_tree()
        check_names([entry.path for entry in self._entries])
        refuse_links(self._target, [entry.path for entry in self._entries])
        return {entry.path: entry.size for entry in self._entries}

    def bring(self, paths: Collection[str], tell: Callable[[int, int], None]) -> int:
        """Have these files in the folder, each one compared with its digest; gives the bytes that were fetched.

        Raises:
            PullError: One cannot be had, or is not what the commit says.
        """
        wanted = [entry for entry in self._entries if entry.path in paths]
        total = sum(entry.size for entry in wanted)
        missing = [entry for entry in wanted if not self._is_here(entry)]
        here = total - sum(entry.size for entry in missing)
        tell(here, total)
        needed, free = sum(entry.size for entry in missing), shutil.disk_usage(self._target).free
        if needed > free:
            raise PullError("space", f"{needed} bytes do not fit, free are: {free}")
        large = [entry for entry in missing if entry.sha256 is not None]
        for entry in missing:
            if entry.sha256 is None:
                self._place_small(entry)
                here += entry.size
        tell(here, total)
        for group in _groups(large):
            self._fetch_large(group)
            for entry in group:
                self._place_large(entry)
                here += entry.size
                tell(here, total)
        return needed

    def _fetch_large(self, entries: Sequence[_Entry]) -> None:
        if not any(self._object(entry) is None for entry in entries):
            return
        # A comma parts patterns, and these letters mean something in one: `?` stands for any letter.
        names = ",".join(re.sub(r"[,*?\[\]\\!{}]", "?", entry.path) for entry in entries)
        self._run("lfs", "fetch", "origin", self.commit, "--include", names, "--exclude", "")

    def _place_large(self, entry: _Entry) -> None:
        source = self._object(entry)
        if source is None:
            raise PullError("missing", f"the repository's server does not have the content of: {entry.path}")
        if not is_same(source, entry.size, {"sha256": str(entry.sha256)}):
            source.unlink()
            raise PullError("damaged", f"not what the repository says it is: {entry.path}")
        target = self._target / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(source)
        # Two files of the same content share one object.
        target.unlink(missing_ok=True)
        os.link(source, target)
        if sum(other.sha256 == entry.sha256 for other in self._entries) == 1:
            source.unlink()

    def _object(self, entry: _Entry) -> Path | None:
        oid = str(entry.sha256)
        path = self._git / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        return path if path.is_file() else None

    def _place_small(self, entry: _Entry) -> None:
        part = self._target / STAGE / "small.part"
        part.write_bytes(self._run("cat-file", "blob", entry.blob))
        if digests_of(part, {GIT})[GIT] != entry.blob:
            raise PullError("damaged", f"not what the repository says it is: {entry.path}")
        target = self._target / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(part)
        part.replace(target)

    def _is_here(self, entry: _Entry) -> bool:
        digest = {"sha256": entry.sha256} if entry.sha256 else {GIT: entry.blob}
        return is_same(self._target / entry.path, entry.size, digest)

    def _read_tree(self) -> list[_Entry]:
        entries = []
        for row in self._run("ls-tree", "-r", "-z", "--long", self.commit).split(b"\0")[:-1]:
            about, _, name = row.partition(b"\t")
            mode, kind, blob, size = about.split()
            path = os.fsdecode(name)
            if mode == b"120000":
                raise PullError("hostile", f"the repository holds a symbolic link: {path!r}")
            # A submodule is another repository; what it holds is not this commit's.
            if kind == b"blob":
                entries.append(self._entry(path, blob.decode(), int(size)))
        return entries

    def _entry(self, path: str, blob: str, size: int) -> _Entry:
        if size <= _MOST_POINTER_BYTES:
            found = _POINTER.fullmatch(self._run("cat-file", "blob", blob))
            if found:
                return _Entry(path, blob, int(found[2]), found[1].decode())
        return _Entry(path, blob, size)

    def _run(self, *words: str, alone: bool = False) -> bytes:
        where = [] if alone else ["--git-dir", str(self._git)]
        done = subprocess.run(["git", *where, *words], capture_output=True, check=False, env=_environment(self._url))
        if done.returncode != 0:
            raise self._error(done.stderr.decode(errors="replace"))
        return done.stdout

    def _error(self, said: str) -> PullError:
        # Told apart for the hint alone: git has no codes for what a server answered.
        last = next((line for line in reversed(said.strip().splitlines()) if line.strip()), "git failed")
        for pattern, kind in ((_NO_REVISION, "revision"), (_DENIED, "denied"), (_MISSING, "missing")):
            if pattern.search(said):
                return PullError(kind, last)
        return PullError("space" if _NO_SPACE in said else "network", last)


def _groups(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """As many at a time as come at the same time: what was moved into its place need not lie in git's store, too."""
    return [list(entries[at : at + CONNECTIONS]) for at in range(0, len(entries), CONNECTIONS)]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _environment(url: str) -> dict[str, str]:
    """Git without anything of its user's or of the repository's that runs by itself."""
    scheme = url.partition(":")[0]
    settings = {
        "core.hooksPath": os.devnull,
        "credential.helper": "",
        "transfer.fsckObjects": "true",
        "lfs.concurrenttransfers": str(CONNECTIONS),
        "lfs.fetchrecentalways": "false",
    }
    pairs = [*settings.items(), *([("credential.helper", _HELPER)] if os.environ.get(GIT_SECRET_VARIABLE) else [])]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_CONFIG_COUNT": str(len(pairs)),
        **{f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(pairs)},
        **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(pairs)},
    }
