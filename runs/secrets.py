"""Secrets come from the environment or the system's keyring at run time; no file of ours ever holds one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.keyring_store import KeyringStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from templates.training.masking import Masker


def read_secrets(names: Sequence[str]) -> dict[str, str]:
    """The value of each name: the environment's, else the keyring's.

    Raises:
        SpecError: A named secret is in neither, or the keyring stays locked.
    """
    found = _found(names)
    missing = [name for name in names if name not in found]
    if missing:
        raise SpecError(
            "secrets named in the run file are neither in the environment nor in the system's keyring: "
            f"{', '.join(missing)}",
            hint=f"`llamalift secret set {missing[0]}` keeps it in the keyring; for one command: "
            f"`{missing[0]}=… llamalift up …`; or remove it from `secrets`",
        )
    return found


def known_secrets(names: Iterable[str]) -> dict[str, str]:
    """The values of those names that are known, as `read_secrets` finds them; a locked keyring knows none."""
    try:
        return _found(names)
    except SpecError:
        return {}


def masker_for(names: Iterable[str]) -> Masker:
    """What takes the values that this process knows out of a text: the environment's, and those that it has read.

    The keyring is not asked: a question to its user for each look at a log would be worse than what it is for.
    """
    from templates.training.masking import Masker

    told = [value for name in names for value in (os.environ.get(name), _read.get(name)) if value]
    return Masker(told)


# What this process has read, so that nothing that it prints or writes later has it by accident.
_read: dict[str, str] = {}


def _found(names: Iterable[str]) -> dict[str, str]:
    store = KeyringStore()
    told = {name: os.environ.get(name) or store.get(name) for name in names}
    found = {name: value for name, value in told.items() if value}
    _read.update(found)
    return found
