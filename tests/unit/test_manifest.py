from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.agent.manifest import (
    ManifestError,
    build_manifest,
    check_manifest,
    newest_complete,
    write_manifest,
)

_NAMES = st.text("abcdef.-_é ", min_size=1, max_size=6).filter(lambda name: name.strip(". ") != "")
_TREES = st.dictionaries(
    # The depth stands in every name, so that no file is called like another one's folder.
    st.lists(_NAMES, min_size=1, max_size=2).map(lambda parts: "/".join(f"{len(parts)}{part}" for part in parts)),
    st.binary(max_size=300),
    min_size=1,
    max_size=5,
)


def _write(folder: Path, tree: dict[str, bytes]) -> None:
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _complete(folder: Path, tree: dict[str, bytes], **facts: object) -> None:
    _write(folder, tree)
    write_manifest(folder, build_manifest(folder, **facts))


@settings(max_examples=60, deadline=None)
@given(_TREES)
def test_an_untouched_folder_is_complete(tree: dict[str, bytes]) -> None:
    """Whatever the files are called and hold, a folder agrees with the manifest just made of it."""
    with tempfile.TemporaryDirectory() as name:
        _complete(Path(name), tree, step=3)
        assert check_manifest(Path(name)) == []


@settings(max_examples=150, deadline=None)
@given(_TREES, st.data())
def test_every_single_damage_is_found(tree: dict[str, bytes], data: st.DataObject) -> None:
    """One flipped bit, a cut, a missing or an additional file: the check never calls it complete, manifest included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _complete(folder, tree, step=3, versions={"torch": "2"})
        victim = data.draw(st.sampled_from(sorted(path for path in folder.rglob("*") if path.is_file())))
        content = victim.read_bytes()
        damages = ["missing", "extra"] if not content else ["flip", "cut", "missing", "extra"]
        damage = data.draw(st.sampled_from(damages))
        if damage == "flip":
            bit = data.draw(st.integers(0, len(content) * 8 - 1))
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            victim.write_bytes(changed)
        elif damage == "cut":
            victim.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        elif damage == "missing":
            victim.unlink()
        else:
            victim.with_name(victim.name + "+").write_bytes(b"")
        assert check_manifest(folder) != []


def test_the_kinds_of_damage_are_named(tmp_path: Path) -> None:
    """The list says which file is missing, too many, of another size or of another content."""
    _complete(tmp_path, {"a": b"1", "b": b"22", "c": b"333"})
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "d").write_bytes(b"")
    assert check_manifest(tmp_path) == ["missing: a", "not in the manifest: d", "wrong size: b"]
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2x")
    (tmp_path / "d").unlink()
    assert check_manifest(tmp_path) == ["wrong content: b"]
    assert check_manifest(tmp_path, contents=False) == []


def test_facts_and_digests_are_in_the_manifest(tmp_path: Path) -> None:
    """MANIFEST.json holds size and SHA-256 of each file and what its writer adds."""
    _complete(tmp_path, {"x/y": b"abc"}, step=8, world_size=2, versions={})
    manifest = json.loads((tmp_path / "MANIFEST.json").read_text())
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert manifest["files"] == {"x/y": {"size": 3, "sha256": digest}}
    assert (manifest["schema"], manifest["step"], manifest["world_size"], manifest["versions"]) == (1, 8, 2, {})


def test_links_and_special_files_are_refused(tmp_path: Path) -> None:
    """What cannot be sent home as bytes is never described as complete."""
    _complete(tmp_path, {"a": b"1"})
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(ManifestError, match="link"):
        build_manifest(tmp_path)
    assert check_manifest(tmp_path) == ["neither a file nor a folder: link"]
    (tmp_path / "link").unlink()
    os.mkfifo(tmp_path / "pipe")
    assert check_manifest(tmp_path) == ["neither a file nor a folder: pipe"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {"a": 3}, "schema": 1}', '{"files": {}, "schema": 2}'])
def test_a_file_that_is_no_manifest_is_a_problem_and_no_crash(tmp_path: Path, text: str) -> None:
    """Any other JSON, or none, makes a folder incomplete."""
    (tmp_path / "MANIFEST.json").write_text(text)
    assert len(check_manifest(tmp_path)) == 1


def test_the_newest_complete_checkpoint_is_found_by_number(tmp_path: Path) -> None:
    """Neither a broken nor a half-written nor a renamed one counts, and 10 is newer than 9."""
    for step in (9, 10, 11, 12):
        _complete(tmp_path / f"checkpoint-{step}", {"weights": bytes(step)}, step=step)
    (tmp_path / "checkpoint-11" / "weights").write_bytes(bytes(10) + b"\1")
    (tmp_path / "checkpoint-12" / "MANIFEST.json").unlink()
    shutil.copytree(tmp_path / "checkpoint-9", tmp_path / "checkpoint-13")
    (tmp_path / "checkpoint-x").mkdir()
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-10"
    assert newest_complete(tmp_path / "nowhere") is None
