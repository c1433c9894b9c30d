"""The real Azurite: Microsoft's emulator of blob storage, a program of npm.

`AZURITE` in the environment names its `azurite-blob`; else it is looked for in `.work/azurite`, where `make azurite`
installs it, and on PATH. Without it, tests that need it are skipped; in CI they fail.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = Path(__file__).parents[2] / ".work" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
# Azurite's one account and its key, the same everywhere: learn.microsoft.com/azure/storage/common/storage-use-azurite.
ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_LISTENS = re.compile(rb"successfully listens on http://127\.0\.0\.1:(\d+)")
_DEADLINE_SECONDS = 60.0


def find_azurite() -> str:
    """The program; skips the test where there is none."""
    found = os.environ.get("AZURITE") or (str(_PROGRAM) if _PROGRAM.exists() else shutil.which("azurite-blob"))
    if found is None:
        assert "CI" not in os.environ, "CI must have Azurite"
        pytest.skip("needs Azurite: `make azurite` (with npm)")
    return found


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Run it with its data in `folder`; yields the connection string of its account."""
    log = folder / "azurite.log"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [find_azurite(), "--blobHost", "127.0.0.1", "--blobPort", "0", "--location", str(folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*argv, "--skipApiVersionCheck", "--disableTelemetry"], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield _connection_string(process, log)
    finally:
        process.terminate()
        process.wait()


def _connection_string(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while (found := _LISTENS.search(log.read_bytes())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    endpoint = f"http://127.0.0.1:{found[1].decode()}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={_KEY};BlobEndpoint={endpoint};"
