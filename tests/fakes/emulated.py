"""What only the emulator's own records say."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MACHINES = "Microsoft.Compute/virtualMachines"


def metadata_address(state: Path) -> str:
    """Read the one machine's metadata key from the cloud's own records: no API shows it."""
    address = json.loads((state / "address.json").read_text())
    with sqlite3.connect(f"file:{state / 'cloud.sqlite'}?mode=ro", uri=True) as database:
        rows = [json.loads(record) for (record,) in database.execute("SELECT record FROM resources")]
    key = next(row["private"]["metadata_key"] for row in rows if row["type"] == _MACHINES)
    return f"http://127.0.0.1:{address['metadata_port']}/{key}"
