"""Secrets come from the environment or the system's keyring at run time; no file of ours ever holds one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.keyring_store import KeyringStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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


def known_secrets(names: Sequence[str]) -> dict[str, str]:
    """The values that are at hand, for masking them; a locked keyring hides nothing worse."""
    try:
        return _found(names)
    except SpecError:
        return {name: os.environ[name] for name in names if os.environ.get(name)}


def _found(names: Iterable[str]) -> dict[str, str]:
    store = KeyringStore()
    told = {name: os.environ.get(name) or store.get(name) for name in names}
    return {name: value for name, value in told.items() if value}
