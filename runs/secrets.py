"""Secrets come from the environment at run time and are never stored on this computer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runs.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_secrets(names: Sequence[str]) -> dict[str, str]:
    """The value of each name.

    Raises:
        SpecError: A named secret is not in the environment.
    """
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise SpecError(
            f"secrets named in the run file are not in the environment: {', '.join(missing)}",
            hint=f"set it for this command: `{missing[0]}=… llamalift up …`, or remove it from `secrets`",
        )
    return {name: os.environ[name] for name in names}
