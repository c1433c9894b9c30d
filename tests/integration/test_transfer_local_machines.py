from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provisioning.rehearsal.machines import MachineKind, boot, describe_ways, stop
from provisioning.rehearsal.machines.local import WAY_VARIABLE
from remote.fetch import fetch_tree
from remote.layout import find_workspace
from remote.session import Session
from remote.transfer import send_tree
from remote.types import Endpoint, FileDigest
from templates.transfer.bundle import BIG_FILE_BYTES, digest_of
from templates.zipapps import agent_zipapp
from tests.fakes.local_machine_kit import PORT, USERNAME, make_kit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", [MachineKind.SANDBOX, MachineKind.IN_PROCESS])
def test_cells_travel_to_every_local_machine_and_back(
    kind: MachineKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds take further connections and further commands on them, as a machine of Azure does."""
    way = next(way for way in describe_ways() if way.kind is kind)
    if not way.available:
        assert "CI" not in os.environ, f"CI must be able to boot every way: {way.reason}"
        pytest.skip(f"{way.reason} ({way.hint})")
    monkeypatch.setenv(WAY_VARIABLE, kind)
    kit = make_kit(tmp_path, agent=agent_zipapp())
    machine = boot(kit.spec)
    endpoint = Endpoint(kit.spec.address, PORT, USERNAME, kit.user_key.private_file, (kit.host_key.public_line,))
    here = tmp_path / "big"
    here.write_bytes(os.urandom(BIG_FILE_BYTES + 1))
    try:
        with Session.connect(endpoint, deadline_seconds=60) as session:
            there = f"{find_workspace(session)}/there"
            send_tree(session, here, f"{there}/big", lanes=1)
            digest = digest_of(here, 0, BIG_FILE_BYTES + 1)
            assert digest is not None
            manifest = [FileDigest("big", BIG_FILE_BYTES + 1, digest)]
            assert fetch_tree(session, there, tmp_path / "home", manifest, lanes=1).files == 1
    finally:
        stop(machine)
    assert (tmp_path / "home" / "big").read_bytes() == here.read_bytes()
