"""Fetch a model or data set from the Hub, on the machine, and check every file against the Hub's own digests.

One JSON request on standard input (so that a token is in no process list); JSON lines on standard output: progress
`{"done_bytes", "total_bytes"}`, at the end `{"path", "commit", "files", "bytes"}`, or `{"error", "text"}` and exit
code 1.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import shutil
import sys
import threading
from pathlib import Path
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

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK_BYTES = 1 << 20
_SAY_EVERY_SECONDS = 1.0
# The same weights once more in other formats: doubled bytes, and pickles among them.
_OTHER_FORMATS = (
    "pytorch_model*.bin*", "consolidated*.pth", "tf_model*.h5*", "flax_model*.msgpack*", "rust_model.ot", "*.gguf",
    "original/*", "onnx/*",
)  # fmt: skip


class FetchError(Exception):
    """It cannot be fetched; `kind` is for the program that reads us."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def fetch(request: Mapping[str, Any]) -> dict[str, Any]:
    """Bring what `request` names into its target folder; files that are there already are kept.

    Raises:
        FetchError: It cannot be fetched, or a file is not what the Hub says it is.
    """
    repo = {"repo_id": request["repo_id"], "repo_type": request["repo_type"]}
    api = HfApi(token=request["token"] or False)
    commit, tree = _listed(api, repo, request["revision"])
    wanted = _wanted(tree, request["file"], is_model=request["repo_type"] == "model")
    target = Path(request["target"])
    _check_space(target, wanted)
    over = threading.Event()
    talk = threading.Thread(target=_tell, args=(target, sum(file.size for file in wanted.values()), over), daemon=True)
    talk.start()
    try:
        options = {**repo, "revision": commit, "local_dir": target, "token": request["token"] or False}
        if request["file"]:
            hf_hub_download(filename=request["file"], **options)
        else:
            snapshot_download(allow_patterns=[_literal(path) for path in wanted], **options)
    finally:
        over.set()
        talk.join()
    for path, file in wanted.items():
        _verify(target / path, file)
    return {
        "path": str(target / request["file"]) if request["file"] else str(target),
        "commit": commit,
        "files": len(wanted),
        "bytes": sum(file.size for file in wanted.values()),
    }


def _listed(api: HfApi, repo: Mapping[str, str], revision: str | None) -> tuple[str, dict[str, RepoFile]]:
    # snapshot_download answers with whatever is in the target when the Hub does not: the Hub is asked first, by us.
    info = api.repo_info(**repo, revision=revision)
    entries = api.list_repo_tree(**repo, revision=info.sha, recursive=True)
    return str(info.sha), {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _wanted(tree: Mapping[str, RepoFile], file: str | None, *, is_model: bool) -> dict[str, RepoFile]:
    if file:
        if file not in tree:
            raise FetchError("file", f"no such file in the repository: {file}")
        return {file: tree[file]}
    if is_model and any(fnmatch.fnmatch(path, "*.safetensors") for path in tree):
        return {path: entry for path, entry in tree.items() if not _is_other_format(path)}
    return dict(tree)


def _is_other_format(path: str) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in _OTHER_FORMATS)


def _literal(path: str) -> str:
    """A pattern that matches `path` alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _check_space(target: Path, wanted: Mapping[str, RepoFile]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    missing = sum(file.size for path, file in wanted.items() if not (target / path).is_file())
    free = shutil.disk_usage(target).free
    if missing > free:
        raise FetchError("space", f"{missing} bytes do not fit, free are: {free}")


def _verify(path: Path, file: RepoFile) -> None:
    """Large files are known by their SHA-256, small ones by the SHA-1 that git gives a blob."""
    if file.lfs is not None:
        digest, expected = hashlib.sha256(), file.lfs.sha256
    else:
        digest, expected = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False), file.blob_id
    with path.open("rb") as source:
        while data := source.read(_CHUNK_BYTES):
            digest.update(data)
    if digest.hexdigest() != expected:
        path.unlink()
        raise FetchError("damaged", f"not what the Hub says it is: {file.path}")


def _tell(target: Path, total_bytes: int, over: threading.Event) -> None:
    while not over.wait(_SAY_EVERY_SECONDS):
        done = sum(_size(path) for path in target.rglob("*"))
        _say({"done_bytes": min(done, total_bytes), "total_bytes": total_bytes})


def _size(path: Path) -> int:
    # Partial files are renamed and removed while we look.
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _say(document: Mapping[str, object]) -> None:
    print(json.dumps(document), flush=True)  # noqa: T201 - the client reads it over SSH


def _explained(error: Exception) -> FetchError:
    # The order decides: a GatedRepoError is a RepositoryNotFoundError too, and both are HTTPErrors.
    for errors, kind, text in (
        (GatedRepoError, "gated", "its owner gives it only to those who accepted its terms"),
        (RepositoryNotFoundError, "repository", "there is no such repository, or it is private"),
        (HFValidationError, "repository", "the Hub knows no such names"),
        (RevisionNotFoundError, "revision", "it has no such branch, tag or commit"),
        (HTTPError, "network", f"the Hub does not answer well: {error}"),
    ):
        if isinstance(error, errors):
            return FetchError(kind, text.splitlines()[0])
    return FetchError("other", f"{type(error).__name__}: {error}")


def main() -> int:
    """Answer one request."""
    try:
        _say(fetch(json.load(sys.stdin)))
    except FetchError as error:
        _say({"error": error.kind, "text": str(error)})
        return 1
    except Exception as error:  # noqa: BLE001 - whatever the library raises is an answer, with its class in it
        explained = _explained(error)
        _say({"error": explained.kind, "text": str(explained)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
