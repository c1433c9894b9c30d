"""Files of Azure blob storage, fetched by the machine's program from the real Azurite."""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings

from templates.agent.manifest import NAME, build_manifest, write_manifest
from templates.training.pull.staged import CELL_BYTES
from tests.fakes.azurite import ACCOUNT
from tests.fakes.pull_program import Answer, pull

if TYPE_CHECKING:
    from pathlib import Path

BIG = os.urandom(2 * CELL_BYTES + 77)
_numbers = itertools.count()


@pytest.fixture
def container(connection: str) -> ContainerClient:
    """A container of its own for each test."""
    made = BlobServiceClient.from_connection_string(connection).get_container_client(f"c{next(_numbers):03}")
    made.create_container()
    return made


def fetch(connection: str, container: ContainerClient, path: str, target: Path, **words: Any) -> Answer:  # noqa: ANN401
    """Fetch `path` of the container."""
    secrets = {"AZURE_STORAGE_CONNECTION_STRING": connection}
    url = f"az://{ACCOUNT}/{container.container_name}/{path}"
    return pull("blob", target, url=url, secrets=secrets, **words)


def test_all_below_a_prefix_comes_and_is_kept(connection: str, container: ContainerClient, tmp_path: Path) -> None:
    """Large, small, empty and oddly named blobs; a neighbour with a longer name stays; then nothing comes twice."""
    files = {"w.safetensors": BIG, "config.json": b"{}", "sub/odd [name] é.txt": b"odd", "empty": b""}
    for name, data in files.items():
        container.upload_blob(f"models/llama/{name}", data)
    container.upload_blob("models/llama-2/config.json", b"another")
    answer = fetch(connection, container, "models/llama", tmp_path)
    assert {path: (tmp_path / path).read_bytes() for path in files} == files
    assert not (tmp_path / "-2").exists()
    assert (answer.path, answer.said["files"]) == (str(tmp_path), 4)
    assert fetch(connection, container, "models/llama/", tmp_path).said["fetched_bytes"] == 0


def test_one_blob_is_one_file(connection: str, container: ContainerClient, tmp_path: Path) -> None:
    """Its MD5 is what its uploader told; one that lies is refused, and so is one that is not the run file's."""
    data = b'[{"instruction": "a", "output": "b"}]'
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    container.upload_blob("d/rows.json", data, content_settings=ContentSettings(content_md5=bytearray(md5)))
    assert fetch(connection, container, "d/rows.json", tmp_path).path == str(tmp_path / "rows.json")
    container.upload_blob("d/bad.json", data, metadata={"sha256": "0" * 64})
    assert fetch(connection, container, "d/bad.json", tmp_path).error == "damaged"
    assert fetch(connection, container, "d/rows.json", tmp_path, sha256="1" * 64).error == "damaged"
    assert not (tmp_path / "bad.json").exists()


def test_a_manifest_of_ours_is_the_judge(connection: str, container: ContainerClient, tmp_path: Path) -> None:
    """A blob that differs from it, is lacking, or a manifest with a flipped letter: all refused."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_bytes(b"{}")
    (source / "w.safetensors").write_bytes(b"weights")
    write_manifest(source, build_manifest(source))
    for path in source.iterdir():
        container.upload_blob(f"m/{path.name}", path.read_bytes())
    assert fetch(connection, container, "m", tmp_path / "a").error == ""
    container.upload_blob("m/w.safetensors", b"WEIGHTS", overwrite=True)
    assert fetch(connection, container, "m", tmp_path / "b").error == "damaged"
    container.delete_blob("m/w.safetensors")
    assert fetch(connection, container, "m", tmp_path / "c").error == "damaged"
    container.upload_blob(f"m/{NAME}", (source / NAME).read_bytes().replace(b"7", b"8"), overwrite=True)
    assert fetch(connection, container, "m", tmp_path / "d").error == "damaged"


@pytest.mark.parametrize("name", [".llamalift-pull/known.jsonl", "a//b"])
def test_no_blob_leads_outside(connection: str, container: ContainerClient, tmp_path: Path, name: str) -> None:
    """Blobs may be called anything; nothing of such a source is written."""
    container.upload_blob(f"m/{name}", b"x")
    container.upload_blob("m/good", b"x")
    assert fetch(connection, container, "m", tmp_path / "t").error == "hostile"
    assert not (tmp_path / "t" / "good").exists()


def test_what_is_not_there_or_not_allowed_is_told_apart(
    connection: str, container: ContainerClient, tmp_path: Path
) -> None:
    """Nothing under a prefix, no container, another key."""
    assert fetch(connection, container, "nothing", tmp_path).error == "missing"
    container.upload_blob("m/x", b"x")
    other = connection.replace("AccountKey=Eby8", "AccountKey=Abcd")
    assert fetch(other, container, "m", tmp_path).error == "denied"
    secrets = {"AZURE_STORAGE_CONNECTION_STRING": connection}
    gone = pull("blob", tmp_path, url=f"az://{ACCOUNT}/nothere/m", secrets=secrets)
    assert gone.error == "missing"
    assert pull("blob", tmp_path, url="az://other/c/m", secrets=secrets).error == "denied"


def test_the_client_chooses_by_its_rules(connection: str, container: ContainerClient, tmp_path: Path) -> None:
    """The program lists, and fetches what it is told to."""
    for name in ("a.txt", "b.bin"):
        container.upload_blob(f"m/{name}", b"x")
    assert fetch(connection, container, "m", tmp_path, wanted=["a.txt"]).said["files"] == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.txt"]
