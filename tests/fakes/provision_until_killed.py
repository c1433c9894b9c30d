"""Provisions the shared request on the rehearsal cloud of a state folder; its starter kills it on the way."""

from __future__ import annotations

import sys
from pathlib import Path

from provisioning.rehearsal.cloud import open_rehearsal
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import machine_request, silent

if __name__ == "__main__":
    cloud = open_rehearsal(Path(sys.argv[1]))
    cloud.provision(machine_request(cloud), MemoryLedger(), silent)
