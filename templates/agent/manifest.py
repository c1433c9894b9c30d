"""What makes a folder complete: MANIFEST.json with size and SHA-256 of every file, written last."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "MANIFEST.json"
SCHEMA = 1
# It covers the manifest itself, so that a flipped bit in `step` or `versions` is found as well.
SEAL = "seal_sha256"
_CHUNK_BYTES = 1 << 20
_CHECKPOINT = re.compile(r"checkpoint-(0|[1-9]\d*)")


class ManifestError(Exception):
    """The folder cannot be described: it holds a link or a special file, or a file changed while it was read."""


def build_manifest(folder: Path, **facts: object) -> dict[str, Any]:
    """Size and SHA-256 of every file under `folder`.

    Args:
        folder: The folder; its own MANIFEST.json is left out, empty folders are not recorded.
        **facts: What else the manifest says, for example `step=800, world_size=4`.

    Returns:
        `{"schema": 1, "files": {"rel/path": {"size": bytes, "sha256": hex}}, **facts}`.

    Raises:
        ManifestError: A symbolic link or special file is in the folder, or a file changed meanwhile.
    """
    paths = dict(_files(folder))
    with ThreadPoolExecutor(_threads()) as pool:
        digests = list(pool.map(_measured, paths.values()))
    return {"schema": SCHEMA, "files": dict(zip(paths, digests, strict=True)), **facts}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Flush everything in `folder` to the disk, then write its MANIFEST.json. Complete when this returns.

    Raises:
        OSError: A file of the manifest is missing or the disk refused.
    """
    for name in manifest["files"]:
        _fsync(folder / name)
    for parent, _, _ in os.walk(folder):
        _fsync(Path(parent))
    part = folder.parent / f".{folder.name}.{NAME}.part"
    with part.open("wb") as file:
        file.write(_sealed(manifest))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
    _fsync(folder)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`, its own seal checked.

    Raises:
        ManifestError: It is missing, damaged or of another schema.
    """
    try:
        data = (folder / NAME).read_bytes()
        manifest = json.loads(data)
    except FileNotFoundError as error:
        raise ManifestError(f"no manifest: {NAME}") from error
    except (OSError, ValueError) as error:
        raise ManifestError(f"unreadable manifest: {error}") from error
    if not isinstance(manifest, dict) or not _lists_files(manifest.get("files")):
        raise ManifestError(f"not a manifest: {NAME}")
    if manifest.get("schema") != SCHEMA:
        raise ManifestError(f"unknown manifest schema: {manifest.get('schema')}")
    if _sealed(manifest) != data:
        raise ManifestError(f"damaged manifest: {NAME}")
    return manifest


def check_manifest(folder: Path, *, contents: bool = True) -> list[str]:
    """Everything in which `folder` differs from its MANIFEST.json; empty means complete and intact.

    Names and sizes come first, since they cost nothing; only a folder in which they agree is hashed.

    Args:
        folder: The folder.
        contents: Also compare SHA-256; False reads no file but the manifest.
    """
    try:
        expected = read_manifest(folder)["files"]
        found = dict(_files(folder))
    except ManifestError as error:
        return [str(error)]
    except OSError as error:
        return [f"unreadable: {error.filename}: {error.strerror}"]
    problems = [f"missing: {name}" for name in sorted(expected.keys() - found.keys())]
    problems += [f"not in the manifest: {name}" for name in sorted(found.keys() - expected.keys())]
    shared = sorted(expected.keys() & found.keys())
    problems += [problem for name in shared if (problem := _size_problem(name, found[name], expected[name]))]
    if problems or not contents:
        return problems
    with ThreadPoolExecutor(_threads()) as pool:
        problems += filter(None, pool.map(lambda name: _content_problem(name, found[name], expected[name]), shared))
    return problems


def checkpoint_folders(checkpoints: Path) -> list[tuple[int, Path]]:
    """The `checkpoint-N` folders with their N, newest (highest N) first, complete or not."""
    if not checkpoints.is_dir():
        return []
    named = ((_CHECKPOINT.fullmatch(entry.name), entry) for entry in checkpoints.iterdir())
    return sorted(((int(match[1]), entry) for match, entry in named if match and _is_folder(entry)), reverse=True)


def newest_complete(checkpoints: Path) -> Path | None:
    """The `checkpoint-N` with the highest N whose manifest verifies, content included; None when there is none."""
    for step, folder in checkpoint_folders(checkpoints):
        if not check_manifest(folder) and read_manifest(folder).get("step") in {None, step}:
            return folder
    return None


def _lists_files(entries: object) -> bool:
    if not isinstance(entries, dict):
        return False
    return all(isinstance(entry, dict) and {"size", "sha256"} <= entry.keys() for entry in entries.values())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            relative = path.relative_to(folder).as_posix()
            if stat.S_ISREG(mode):
                if relative != NAME:
                    yield relative, path
            elif not stat.S_ISDIR(mode):
                raise ManifestError(f"neither a file nor a folder: {relative}")


def _raise(error: OSError) -> None:
    raise error


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


def _measured(path: Path) -> dict[str, object]:
    size, digest = _digest(path)
    if path.stat().st_size != size:
        raise ManifestError(f"changed while it was read: {path}")
    return {"size": size, "sha256": digest}


def _size_problem(name: str, path: Path, entry: Mapping[str, object]) -> str | None:
    try:
        return None if path.stat().st_size == entry["size"] else f"wrong size: {name}"
    except OSError as error:
        return f"unreadable: {name}: {error.strerror}"


def _content_problem(name: str, path: Path, entry: Mapping[str, object]) -> str | None:
    try:
        return None if _digest(path) == (entry["size"], entry["sha256"]) else f"wrong content: {name}"
    except OSError as error:
        return f"unreadable: {name}: {error.strerror}"


def _is_folder(path: Path) -> bool:
    """Whether it is a folder and no link to one; what the disk cannot even say is none."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _digest(path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    return size, digest.hexdigest()


def _sealed(manifest: Mapping[str, Any]) -> bytes:
    facts = {key: value for key, value in manifest.items() if key != SEAL}
    seal = hashlib.sha256(_canonical(facts)).hexdigest()
    return _canonical({**facts, SEAL: seal})


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1).encode() + b"\n"


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
