"""A model or data set of the Hugging Face Hub, or one file: fetched by its own library, every file compared by us.

The library fetches several files at a time, in chunks of its own where the Hub offers that, and goes on where it was
interrupted. What it believes is a size; we compare the Hub's digests.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from templates.training.pull.digests import GIT, is_same
from templates.training.pull.errors import PullError
from templates.training.pull.formats import without_other_formats
from templates.training.pull.names import check_names, refuse_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# They lie in our own client's table, too (`remote.pull`): the hint depends on them.
_OUR_WORDS: tuple[tuple[type[Exception], str, str], ...] = (
    # The order decides: a GatedRepoError is a RepositoryNotFoundError too, and both are HTTPErrors.
    (GatedRepoError, "gated", "its owner gives it only to those who accepted its terms"),
    (RepositoryNotFoundError, "repository", "there is no such repository, or it is private"),
    (HFValidationError, "repository", "the Hub knows no such names"),
    (RevisionNotFoundError, "revision", "it has no such branch, tag or commit"),
    (HTTPError, "network", "the Hub does not answer well"),
)


class HubRepository:
    """One commit of a repository of the Hub."""

    def __init__(self, request: Mapping[str, Any], target: Path) -> None:
        """Use `repo_type`, `repo_id`, `revision`, `file` and `token` of a request."""
        self._repo = {"repo_id": request["repo_id"], "repo_type": request["repo_type"]}
        self._token = request["token"] or False
        self._revision, self._file = request["revision"], request["file"]
        self._target = target
        self._tree: dict[str, RepoFile] = {}
        self.commit = ""

    def listing(self) -> dict[str, int]:
        """Ask for the files and their sizes in bytes; of a model in several formats only safetensors.

        Raises:
            PullError: It may not be had, or names what must not be written.
        """
        api = HfApi(token=self._token)
        with _in_our_words():
            # snapshot_download answers with whatever is there when the Hub does not: the Hub is asked first, by us.
            info = api.repo_info(**self._repo, revision=self._revision)
            entries = list(api.list_repo_tree(**self._repo, revision=info.sha, recursive=True))
        self.commit = str(info.sha)
        self._tree = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
        if self._file:
            if self._file not in self._tree:
                raise PullError("file", f"no such file in the repository: {self._file}")
            self._tree = {self._file: self._tree[self._file]}
        elif self._repo["repo_type"] == "model":
            self._tree = without_other_formats(self._tree)
        check_names(self._tree)
        refuse_links(self._target, list(self._tree))
        return {path: entry.size for path, entry in self._tree.items()}

    def bring(self, wanted: set[str], tell: Callable[[int, int], None]) -> int:
        """Have these files in the folder, each compared with the Hub's digest; gives the bytes that were missing.

        Raises:
            PullError: One cannot be had, does not fit or is not what the Hub says.
        """
        files = {path: self._tree[path] for path in self._tree if path in wanted}
        total = sum(file.size for file in files.values())
        missing = {path: file for path, file in files.items() if not self._is_right(file)}
        needed = sum(file.size for file in missing.values())
        tell(total - needed, total)
        free = shutil.disk_usage(self._target).free
        if needed > free:
            raise PullError("space", f"{needed} bytes do not fit, free are: {free}")
        if missing:
            self._download(missing)
        for path, file in missing.items():
            if not self._is_right(file):
                (self._target / path).unlink(missing_ok=True)
                raise PullError("damaged", f"not what the Hub says it is: {path}")
        return needed

    def _download(self, missing: Mapping[str, RepoFile]) -> None:
        options = {**self._repo, "revision": self.commit, "local_dir": self._target, "token": self._token}
        for path in missing:
            # The library would believe a file that is there, whatever is in it.
            (self._target / path).unlink(missing_ok=True)
        with _in_our_words():
            if self._file:
                hf_hub_download(filename=self._file, **options)
            else:
                snapshot_download(allow_patterns=[_literal(path) for path in missing], **options)

    def _is_right(self, file: RepoFile) -> bool:
        """Large files are known by their SHA-256, small ones by the SHA-1 that git gives a blob."""
        expected = {"sha256": file.lfs.sha256} if file.lfs is not None else {GIT: file.blob_id}
        return is_same(self._target / file.path, file.size, expected)


def _literal(path: str) -> str:
    """A pattern that matches `path` alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # The library's errors about answers are OSErrors, too; those of the disk say so themselves.
        if error.errno is not None and not isinstance(error, HTTPError):
            raise
        raise _explained(error) from error
    except Exception as error:
        raise _explained(error) from error


def _explained(error: Exception) -> PullError:
    for kind_of_error, kind, text in _OUR_WORDS:
        if isinstance(error, kind_of_error):
            more = f": {error}".splitlines()[0] if kind == "network" else ""
            return PullError(kind, text + more)
    return PullError("other", f"{type(error).__name__}: {error}".splitlines()[0])
