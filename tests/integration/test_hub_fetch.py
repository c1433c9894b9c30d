from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from remote.errors import GpuCheckError, TransferError
from remote.gpus import all_reduce
from remote.layout import RunLayout
from remote.pull import Pulled, pull
from remote.session import Session
from remote.transfer import send_bytes
from runs.pulling import pull_request
from runs.spec.sources import HubSource, parse_source
from templates.zipapps import trainer_zipapp
from tests.fakes.hub_server import HubRepo, HubServer, hub_server
from tests.fakes.ssh_machine import SshMachine, ssh_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.training

WEIGHTS = os.urandom(3_000_000)
REPOS = {
    "models/lab/llama": {
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"a pickle",
        "original/consolidated.00.pth": b"another",
        "sub/odd [name] é.txt": b"odd",
    },
    "datasets/lab/rows": {"data/train.json": b"[1]", "README.md": b"read"},
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshMachine]:
    """One machine for the module, with the trainer's archive on it."""
    with ssh_machine(tmp_path_factory.mktemp("machine") / "m") as running:
        with Session.connect(running.endpoint, deadline_seconds=20) as session:
            send_bytes(session, trainer_zipapp(), RunLayout(str(running.workspace), "r").trainer_zipapp)
        yield running


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A Hub with one model and one data set."""
    with hub_server() as served:
        served.repos |= {name: HubRepo(dict(files)) for name, files in REPOS.items()}
        yield served


@pytest.fixture
def target(machine: SshMachine, request: pytest.FixtureRequest) -> Path:
    """A folder of its own on the machine, which happens to be this computer."""
    return machine.workspace / str(request.node.name)


@pytest.fixture
def fetch(machine: SshMachine, hub: HubServer, target: Path, machine_python: Path) -> Iterator[Callable[..., str]]:
    """`pull` with everything but the address."""
    with Session.connect(machine.endpoint, deadline_seconds=20) as session:

        def call(uri: str, token: str | None = None, ignore: tuple[str, ...] = ()) -> str:
            layout, source = RunLayout(str(machine.workspace), "r"), parse_source(uri)
            assert isinstance(source, HubSource)
            request = pull_request(uri, source, {"HF_TOKEN": token} if token else {}, ignore=ignore)
            done: Pulled = pull(session, layout, str(machine_python), request, str(target), endpoint=hub.url)
            return done.path

        yield call


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".cache", ".llamalift-pull"} & set(path.parts)
    }


def test_a_model_comes_without_its_other_formats(fetch: Callable[..., str], target: Path, hub: HubServer) -> None:
    """Safetensors only, each file checked; a second time no content is asked for again."""
    assert fetch("hf://lab/llama@main") == str(target)
    assert _files(target) == {
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "sub/odd [name] é.txt": b"odd",
    }
    hub.requests.clear()
    fetch("hf://lab/llama")
    assert not [line for line in hub.requests if line.startswith(("GET /lab", "GET /cdn"))]


def test_one_file_of_a_data_set(fetch: Callable[..., str], target: Path) -> None:
    """The answer is the file's own path."""
    assert fetch("hf://datasets/lab/rows/data/train.json") == f"{target}/data/train.json"
    assert _files(target) == {"data/train.json": b"[1]"}


def test_a_gated_repository_needs_the_token(fetch: Callable[..., str], hub: HubServer) -> None:
    """Without it the reason is told; with it the repository comes."""
    hub.repos["models/lab/gated"] = HubRepo({"config.json": b"{}"}, token="t0ken", gated=True)
    with pytest.raises(TransferError, match="terms") as caught:
        fetch("hf://lab/gated")
    assert "HF_TOKEN" in caught.value.hint
    fetch("hf://lab/gated", token="t0ken")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("hf://lab/unknown", "no such repository"),
        ("hf://lab/llama@unknown", "no such branch"),
        ("hf://lab/llama/unknown.json", "no such file"),
    ],
)
def test_what_is_not_there_is_told_apart(fetch: Callable[..., str], uri: str, reason: str) -> None:
    """Repository, revision and file have each their own words."""
    with pytest.raises(TransferError, match=reason):
        fetch(uri)


def test_a_file_that_is_not_the_hubs_is_refused(fetch: Callable[..., str], hub: HubServer, target: Path) -> None:
    """huggingface_hub believes a size; we compare the digest, and keep nothing of it."""
    hub.damage.add("model.safetensors")
    with pytest.raises(TransferError, match="not what the Hub says"):
        fetch("hf://lab/llama")
    assert not (target / "model.safetensors").exists()
    hub.damage.clear()
    fetch("hf://lab/llama")
    assert _files(target)["model.safetensors"] == WEIGHTS


def test_a_hub_that_is_gone_is_no_success(fetch: Callable[..., str], hub: HubServer, target: Path) -> None:
    """With files in the target the library would call it done; we do not."""
    fetch("hf://datasets/lab/rows")
    assert _files(target)
    hub.repos.clear()
    with pytest.raises(TransferError):
        fetch("hf://datasets/lab/rows")


def test_what_is_ignored_is_not_fetched(fetch: Callable[..., str], target: Path, hub: HubServer) -> None:
    """Rules as in a .gitignore, with the last word; nothing of what they leave out is asked for."""
    fetch("hf://lab/llama", ignore=("*", "!*.json", "!sub"))
    assert set(_files(target)) == {"config.json"}
    assert not [line for line in hub.requests if "safetensors" in line]
    with pytest.raises(TransferError, match="left out by `ignore`"):
        fetch("hf://lab/llama", ignore=("*",))


@pytest.mark.parametrize("name", ["../up.json", "a/../../up.json", "/up.json", ".llamalift-pull/known.jsonl"])
def test_a_hostile_hub_writes_nothing_outside(
    fetch: Callable[..., str], hub: HubServer, target: Path, name: str
) -> None:
    """HF_ENDPOINT may be anybody: names that climb are refused before anything is written."""
    hub.repos["models/lab/evil"] = HubRepo({"config.json": b"{}", name: b"x"})
    with pytest.raises(TransferError, match="leads outside"):
        fetch("hf://lab/evil")
    assert not _files(target)
    assert not (target.parent / "up.json").exists()


def test_a_file_changed_on_the_disk_is_found(fetch: Callable[..., str], target: Path) -> None:
    """The library believes what is there by its name; we compare, and fetch that file again."""
    fetch("hf://lab/llama")
    (target / "model.safetensors").write_bytes(bytes(len(WEIGHTS)))
    fetch("hf://lab/llama")
    assert _files(target)["model.safetensors"] == WEIGHTS


def test_processes_can_reduce_together(machine: SshMachine, machine_python: Path) -> None:
    """The GPU check's all-reduce, over gloo on this CPU; NCCL without a GPU is a clear error."""
    layout = RunLayout(str(machine.workspace), "r")
    with Session.connect(machine.endpoint, deadline_seconds=20) as session:
        assert all_reduce(session, str(machine_python), layout, 2, backend="gloo") > 0
        with pytest.raises(GpuCheckError):
            all_reduce(session, str(machine_python), layout, 1)
