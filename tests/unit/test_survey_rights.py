"""What may be done follows from the actions of roles, less what each of them takes back."""

from __future__ import annotations

import pytest

from provisioning.azure.survey.rights import CREATION, ROLE_ASSIGNMENT, Permission, may

OWNER = Permission(("*",), ())
CONTRIBUTOR = Permission(
    ("*",),
    (
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ),
)
READER = Permission(("*/read",), ())
ACCESS_ADMINISTRATOR = Permission(("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"), ())
MACHINES_ONLY = Permission(("Microsoft.Compute/virtualMachines/*",), ())


@pytest.mark.parametrize(
    ("roles", "creates", "assigns"),
    [
        ([], False, False),
        ([OWNER], True, True),
        ([CONTRIBUTOR], True, False),
        ([READER], False, False),
        ([ACCESS_ADMINISTRATOR], False, True),
        ([CONTRIBUTOR, ACCESS_ADMINISTRATOR], True, True),
        ([MACHINES_ONLY], False, False),
    ],
)
def test_built_in_roles(roles: list[Permission], creates: bool, assigns: bool) -> None:  # noqa: FBT001  (a table)
    """What one role takes back another may give; a right counts only when all of it is there."""
    assert all(may(roles, action) for action in CREATION) is creates
    assert may(roles, ROLE_ASSIGNMENT) is assigns


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("Microsoft.Compute/virtualMachines/write", "microsoft.compute/VirtualMachines/Write", True),
        ("Microsoft.Compute/*", "Microsoft.Compute/virtualMachines/extensions/write", True),
        ("Microsoft.Compute/*/write", "Microsoft.Compute/virtualMachines/write", True),
        ("Microsoft.Compute/*/write", "Microsoft.Compute/virtualMachines/writer", False),
        ("Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachines/write", False),
        ("Microsoft.Compute.virtualMachines/write", "Microsoft.Compute/virtualMachines/write", False),
    ],
)
def test_wildcards(pattern: str, action: str, covered: bool) -> None:  # noqa: FBT001  (a table)
    """A star stands for anything, slashes too; nothing else is special, and capitals do not count."""
    assert Permission((pattern,), ()).covers(action) is covered
