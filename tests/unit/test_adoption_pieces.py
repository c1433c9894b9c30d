"""The parts of adoption that need no cloud: tags, the run file's way to the machine, the machine's answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning.addresses import covers
from provisioning.adoption_types import FoundRun, RunInCloud
from provisioning.azure.run_command import standard_output
from provisioning.rehearsal.machines.cloud_config import parse_custom_data
from provisioning.types import Placement
from remote.adoption import let_in_command, parse_let_in
from remote.errors import SetupError
from remote.keys import generate_host_key
from runs.adoption.decision_tags import MACHINE_TAG, TERMS_TAG, created_at_from, decided_from, decision_tags
from runs.adoption.run_file import place
from runs.types import RunRow, RunState
from templates.adoption.let_in import plant
from templates.cloud_init import MAX_CUSTOM_DATA_BYTES, RUN_FILE_PATH, CloudInitValues, render_cloud_init
from templates.zipapps import agent_zipapp
from tests.fakes.decisions import decided

ROW = RunRow("tiny-aaaaaa", "tiny", "azure", 1_764_083_563.123456, "/run.yaml", "", "0" * 64, RunState.ACTIVE)


def found(tags: dict[str, str], **more: Any) -> RunInCloud:  # noqa: ANN401 - any field
    """A run of which only the group is left."""
    group = FoundRun("tiny-aaaaaa", "westus3", tags, is_leaving=False)
    seen = RunInCloud(group, tags, (), None, None, "", None, "")
    return replace(seen, **more)


def test_what_was_decided_comes_back_from_two_tags() -> None:
    """Every field, to the last digit; what can be read back counts more; no value is too long for Azure."""
    long = replace(
        decided(), price_basis="Retail Prices API, as of a very long moment ago " * 9, deadline_at=1_764_083_563.123456,
        machine_dollars_per_hour=14.690000000000001, disk_dollars_per_hour=0.18472222222222223,
        address_dollars_per_hour=0.005, dollars_per_hour=14.87972222222222, dollars_cap=215.90000000000003,
        save_seconds=472.0123456789012, image="microsoft-dsvm:ubuntu-hpc:2404:24.04.2026060101",
        region="southcentralus", size="Standard_NC96ads_A100_v4", zone="3", evictions_per_hour=0.05,
    )  # fmt: skip
    tags = decision_tags(ROW, long)
    assert all(len(value) <= 256 for value in tags.values())
    back = decided_from(found(tags, caller_address=long.caller_address), long.subscription_id)
    assert back == replace(long, price_basis=back.price_basis)
    assert long.price_basis.startswith(back.price_basis)
    assert created_at_from(found(tags)) == ROW.created_at

    place_ = Placement("eastus", None, "Standard_Other", spot=True)
    seen = decided_from(found(tags, placement=place_, workspace_gib=2048, image="a:b:c:d"), "s")
    assert (seen.region, seen.zone, seen.size, seen.spot) == ("eastus", None, "Standard_Other", True)
    assert (seen.workspace_gib, seen.image) == (2048, "a:b:c:d")


@pytest.mark.parametrize("tags", [{}, {MACHINE_TAG: "no json", TERMS_TAG: "[]"}, {TERMS_TAG: '{"cap": "many"}'}])
def test_a_run_without_readable_tags_can_still_be_torn_down(tags: dict[str, str]) -> None:
    """What is not known is 0 or `unknown`, and never an exception."""
    back = decided_from(found(tags), "s")
    assert (back.subscription_id, back.region, back.dollars_cap, back.size) == ("s", "westus3", 0.0, "unknown")
    assert created_at_from(found(tags)) is None


def values(run_file: str) -> CloudInitValues:
    """The custom data of a real machine, with the real agent."""
    key = generate_host_key()
    return CloudInitValues(
        "azureuser", key.public_line, key.private_pem, key.public_line, "{}", agent_zipapp(), run_file
    )


def test_the_run_file_is_on_the_machine_from_its_first_boot() -> None:
    """The longest of our recipes fits beside the agent; one that does not fit is left out, and nothing else is."""
    starter = max(Path("templates/recipes").glob("*.yaml"), key=lambda file: file.stat().st_size).read_text()
    data = render_cloud_init(values(starter))
    assert len(data) <= MAX_CUSTOM_DATA_BYTES
    files = {file.path: file for file in parse_custom_data(data).files}
    assert files[RUN_FILE_PATH].content.decode() == starter
    noise = "".join(chr(33 + (index * index * 7919) % 89) for index in range(200_000))
    huge = parse_custom_data(render_cloud_init(values(noise + str(hash(noise)))))
    assert len(huge.files) >= 3
    assert huge.problems == []


def test_cloud_init_knows_the_encoding() -> None:
    """`gz+b64` is one of the encodings of write_files."""
    document = yaml.safe_load(render_cloud_init(values("name: x\n")).decode())
    entry = next(file for file in document["write_files"] if file["path"] == RUN_FILE_PATH)
    assert (entry["encoding"], entry["permissions"]) == ("gz+b64", "0644")


def test_a_new_key_takes_the_place_of_the_former(tmp_path: Path) -> None:
    """Keys of llamalift go, the user's own stay, and doing it twice is the same."""
    file = tmp_path / "authorized_keys"
    file.write_text("ssh-ed25519 OLD llamalift\nssh-rsa MINE me@home\n")
    assert plant(file, "ssh-ed25519 NEW llamalift") == 1
    assert plant(file, "ssh-ed25519 NEW llamalift") == 0
    assert file.read_text() == "ssh-rsa MINE me@home\nssh-ed25519 NEW llamalift\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert plant(tmp_path / "none", "ssh-ed25519 NEW llamalift") == 0


def test_the_machines_answer_is_believed_only_whole() -> None:
    """A host key that cannot be one, half an answer, a failure: each is an error of ours."""
    key = generate_host_key().public_line
    answer = {"host_key": key, "one_time": False, "removed": 1, "workspace": "/workspace"}
    line = f"<<llamalift:{json.dumps(answer)}:llamalift>>"
    assert parse_let_in(f"noise\n{line}\nmore").host_key == key
    for bad in ("", line[:-5], "This is a sample script", line.replace(key, "ssh-ed25519 ?"),
                '<<llamalift:{"error": "KeyError: nobody"}:llamalift>>', "<<llamalift:{}:llamalift>>"):  # fmt: skip
        with pytest.raises(SetupError, match="did not let this computer in"):
            parse_let_in(bad)


def test_a_name_cannot_become_a_command() -> None:
    """What goes to the control plane is quoted word by word."""
    rendered = let_in_command("ada; rm -rf /", "ssh-ed25519 A llamalift").render()
    assert rendered.endswith("'ada; rm -rf /' 'ssh-ed25519 A llamalift'")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            [{"code": "ProvisioningState/succeeded", "message": "Enable succeeded: \n[stdout]\nhi\n\n[stderr]\nx"}],
            "hi\n",
        ),
        ([{"code": "ComponentStatus/StdOut/succeeded", "message": "hi"}, {"code": "x", "message": "y"}], "hi"),
        ([{"code": "ProvisioningState/failed", "message": "Enable failed"}], ""),
        ([{"code": "ProvisioningState/failed"}], ""),
        ([], ""),
    ],
)
def test_both_forms_of_an_answer_are_read(value: list[dict[str, str]], said: str) -> None:
    """Azure's agent for Linux puts both streams into one message, the other one has an entry for each."""
    from azure.mgmt.compute.models import RunCommandResult

    assert standard_output(RunCommandResult({"value": value}).value or []) == said


@pytest.mark.parametrize(
    ("admitted", "caller", "inside"),
    [
        ("10.0.0.0/16", "10.0.3.4/32", True),
        ("10.0.3.4/32", "10.0.3.4/32", True),
        ("10.0.3.4/32", "10.0.3.5/32", False),
        ("10.0.0.0/16", "fd00::1/128", False),
        ("*", "10.0.3.4/32", False),
        ("", "10.0.3.4/32", False),
    ],
)
def test_a_rule_that_lets_the_caller_in_is_left_alone(admitted: str, caller: str, *, inside: bool) -> None:
    """Networks are compared as networks; what is none covers nobody."""
    assert covers(admitted, caller) is inside


def test_a_run_file_goes_back_to_its_place_if_that_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a copy begins in the folder where the user is; a changed file of the same name is not the run's."""
    monkeypatch.chdir(tmp_path)
    original = tmp_path / "old" / "run.yaml"
    original.parent.mkdir()
    original.write_text("name: x\n")
    assert place("name: x\n", str(original), "x-aaaaaa") == original
    assert not (tmp_path / "x-aaaaaa.yaml").exists()
    original.write_text("name: y\n")
    assert place("name: x\n", str(original), "x-aaaaaa") == tmp_path / "x-aaaaaa.yaml"
    assert place("name: x\n", "", "x-aaaaaa").read_text() == "name: x\n"
