"""`llamalift attempts`: every try with its reason, for people and for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.commands.attempts import attempts
from runs.journal.attempts import AttemptLog, Outcome
from tests.fakes.placing import a_run, place

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_try_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where, as what, how it ended and Azure's own code; one that goes on says so."""
    context, _ = a_run(tmp_path)
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(context.state.root))
    attempts("tiny")
    assert "nothing was tried yet" in capsys.readouterr().err

    log = AttemptLog(context.journal, context.run_id)
    log.end(log.begin(place("eastus", "1")), Outcome.CAPACITY, code="ZonalAllocationFailed", fact="no room")
    log.skip(place("eastus", spot=True), Outcome.QUOTA, "0 of 0 free")
    log.begin(place("westus3"))
    attempts("tiny")
    heading, *lines = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    assert heading == "BEGAN TOOK REGION ZONE SIZE PRICE OUTCOME CODE"
    assert lines[0].endswith("0 s eastus 1 Standard_D2s_v5 on demand no capacity ZonalAllocationFailed")
    assert lines[1].endswith("0 s eastus none Standard_D2s_v5 spot quota")
    assert lines[2].endswith("westus3 none Standard_D2s_v5 on demand goes on")

    attempts("tiny", as_json=True)
    first, second, third = json.loads(capsys.readouterr().out)
    assert (first["region"], first["zone"], first["outcome"]) == ("eastus", "1", "no capacity")
    assert (second["spot"], second["fact"]) == (True, "0 of 0 free")
    assert third["ended_at"] is None
