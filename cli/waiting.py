"""Says what is being waited for, on one line that goes away; nothing where nobody watches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.types import Progress


@contextmanager
def said() -> Iterator[Progress]:
    """Give a progress that shows its last message until the block ends."""
    from rich.text import Text

    from cli.console import talk

    with talk().status("") as status:
        yield lambda message: status.update(Text(message))
