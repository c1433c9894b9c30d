"""Request bodies are checked against the SDK's own models."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.azure.request_models import check_body

VM = "Microsoft.Compute/virtualMachines"
DISK = "Microsoft.Compute/disks"
NIC = "Microsoft.Network/networkInterfaces"
NSG = "Microsoft.Network/networkSecurityGroups"
GROUP = "Microsoft.Resources/resourceGroups"

WRONG: list[tuple[str, str, str, dict[str, Any], tuple[str, str]]] = [
    ("misspelt key", "PUT", VM, {"location": "x", "zone": ["1"]}, ("unknown", "zone")),
    (
        "misspelt key deep inside",
        "PUT",
        VM,
        {"location": "x", "properties": {"osProfile": {"adminUserName": "llama"}}},
        ("unknown", "properties.osProfile.adminUserName"),
    ),
    ("missing location", "PUT", VM, {}, ("missing", "location")),
    (
        "missing inside an object",
        "PUT",
        VM,
        {"location": "x", "properties": {"storageProfile": {"osDisk": {}}}},
        ("missing", "properties.storageProfile.osDisk.createOption"),
    ),
    (
        "set by the service",
        "PUT",
        VM,
        {"location": "x", "properties": {"vmId": "1"}},
        ("read-only", "properties.vmId"),
    ),
    (
        "text for a number",
        "PUT",
        DISK,
        {"location": "x", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": "32"}},
        ("mistyped", "properties.diskSizeGB"),
    ),
    (
        "truth value for a number",
        "PUT",
        DISK,
        {"location": "x", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": True}},
        ("mistyped", "properties.diskSizeGB"),
    ),
    (
        "word outside an enum",
        "PUT",
        DISK,
        {"location": "x", "sku": {"name": "Fast_LRS"}, "properties": {"creationData": {"createOption": "Empty"}}},
        ("mistyped", "sku.name"),
    ),
    (
        "object for an array",
        "PUT",
        NSG,
        {"location": "x", "properties": {"securityRules": {}}},
        ("mistyped", "properties.securityRules"),
    ),
    (
        "wrong element of an array",
        "PUT",
        VM,
        {"location": "x", "zones": ["1", 2]},
        ("mistyped", "zones[1]"),
    ),
    ("tag that is no text", "PATCH", VM, {"tags": {"a": 1}}, ("mistyped", "tags.a")),
    ("array for an object", "PUT", GROUP, {"location": "x", "tags": []}, ("mistyped", "tags")),
    ("id of a new group", "PUT", GROUP, {"location": "x", "id": "/subscriptions/1"}, ("read-only", "id")),
]


@pytest.mark.parametrize(
    ("method", "kind", "body", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_finds_what_is_wrong(method: str, kind: str, body: dict[str, Any], expected: tuple[str, str]) -> None:
    """Unknown, mistyped, missing and read-only properties are found, with their path."""
    assert [(problem.kind, problem.path) for problem in check_body(method, kind, body)] == [expected]


def test_accepts_sizes_that_the_sdk_does_not_list() -> None:
    """The SDK's list of sizes is older than the A100; a size is any text."""
    body = {"location": "x", "properties": {"hardwareProfile": {"vmSize": "Standard_NC96ads_A100_v4"}}}
    assert check_body("PUT", VM, body) == []


def test_accepts_enum_words_in_any_case_and_null_for_optional() -> None:
    """ARM compares enum words without case and takes null for a property that may be absent."""
    body = {"location": "x", "tags": None, "properties": {"priority": "spot", "licenseType": None}}
    assert check_body("PUT", VM, body) == []


def test_accepts_a_get_result_as_a_reference() -> None:
    """A subnet as GET returned it, read-only properties and all, is a valid reference by its id."""
    subnet = {"id": "/subscriptions/1/x", "etag": "W/1", "properties": {"provisioningState": "Succeeded"}}
    configuration = {"name": "ip", "properties": {"subnet": subnet}}
    assert check_body("PUT", NIC, {"location": "x", "properties": {"ipConfigurations": [configuration]}}) == []


def test_reference_is_still_checked_for_unknown_keys() -> None:
    """Being a reference excuses read-only properties, not misspelt ones."""
    subnet = {"id": "/subscriptions/1/x", "propertis": {}}
    configuration = {"name": "ip", "properties": {"subnet": subnet}}
    problems = check_body("PUT", NIC, {"location": "x", "properties": {"ipConfigurations": [configuration]}})
    assert [problem.kind for problem in problems] == ["unknown"]


def test_every_known_request_has_a_model_in_the_installed_sdk() -> None:
    """An SDK upgrade that renames a model is noticed here."""
    from provisioning.azure import request_models

    for method, kind in request_models._MODELS:
        check_body(method, kind, {})


def test_unknown_type_is_an_error_of_the_caller() -> None:
    """There is no silent acceptance of a type without a model."""
    with pytest.raises(KeyError):
        check_body("PUT", "Microsoft.Sql/servers", {})
