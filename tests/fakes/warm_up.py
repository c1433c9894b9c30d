"""Makes one machine with everything around it on the rehearsal cloud of a state folder, and deletes it.

Afterwards the emulator has imported what it checks bodies with, and the resource providers are registered.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provisioning.rehearsal.cloud import open_rehearsal
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import RUN_ID, machine_request, silent

if __name__ == "__main__":
    cloud = open_rehearsal(Path(sys.argv[1]))
    cloud.provision(
        replace(machine_request(cloud), shutdown_at=datetime.now(UTC) + timedelta(hours=3)), MemoryLedger(), silent
    )
    cloud.destroy(RUN_ID, [], MemoryLedger(), silent)
