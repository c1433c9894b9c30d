"""Brings the finished model, and what else is promised, from the machine itself to blob storage.

The last step of the job: `python -m templates.training.deliver --run-dir DIR --to az://ACCOUNT/CONTAINER/PREFIX …`.
Files lie there under the names that they have in the run's folder, `final/MANIFEST.json` last. A file counts as
delivered when the service has compared every block with its MD5 and then lists it with this size and SHA-256.

Storage that cannot be had never makes a trained run a failed one: the step tries for a while, says so, and leaves the
rest to the client. What says that everything is there is `control/delivered`, for the agent and for the client.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.agent.manifest import NAME, ManifestError, check_manifest, read_manifest
from templates.training.errors import MirrorError
from templates.training.metrics import Metrics
from templates.training.outputs import Wanted, measured, outputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DELIVERED = "delivered"
# A role that was just given takes Azure some minutes to be known everywhere.
_PAUSES_SECONDS = (5.0, 15.0, 60.0, 120.0, 300.0, 600.0)
_DIGEST = "sha256"
_MAY_BE_MISSING = "after/"


class Delivery:
    """The way of one run's files to blob storage."""

    def __init__(self, run_dir: Path, url: str) -> None:
        """Deliver from `run_dir` to a prefix of a container.

        Raises:
            MirrorError: It is no such address, or another account's.
        """
        from templates.training.blob_account import open_container

        self._run_dir = run_dir
        self._container, prefix = open_container(url)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def deliver(self, files: Mapping[str, Mapping[str, Any]]) -> int:
        """Bring every file there; gives the bytes that were sent. What is there already is not sent again.

        Raises:
            MirrorError: The account refused, or does not list what was sent.
        """
        from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

        from templates.training.blob_account import first_line

        try:
            try:
                there = self._there()
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):
                    self._container.create_container()
                there = {}
            missing = {path: entry for path, entry in files.items() if there.get(path) != _mark(entry)}
            for path, entry in missing.items():
                self._send(path, entry)
            there = self._there()
        except (AzureError, ValueError) as error:
            raise MirrorError(first_line(error)) from error
        if wrong := [path for path, entry in files.items() if there.get(path) != _mark(entry)]:
            raise MirrorError(f"the storage account does not list what was sent: {wrong[0]}")
        return sum(int(entry["size"]) for entry in missing.values())

    def _there(self) -> dict[str, tuple[int, str]]:
        blobs = self._container.list_blobs(name_starts_with=self._prefix or None, include=["metadata"])
        return {
            str(blob.name).removeprefix(self._prefix): (int(blob.size), str((blob.metadata or {}).get(_DIGEST, "")))
            for blob in blobs
        }

    def _send(self, path: str, entry: Mapping[str, Any]) -> None:
        from templates.training.blob_account import CONNECTIONS

        size = int(entry["size"])
        with (self._run_dir / path).open("rb") as file:
            # The service compares each block's MD5 before it takes it.
            self._container.upload_blob(
                f"{self._prefix}{path}", file, length=size, overwrite=True, metadata={_DIGEST: str(entry["sha256"])},
                max_concurrency=CONNECTIONS, validate_content=True,
            )  # fmt: skip


def _mark(entry: Mapping[str, Any]) -> tuple[int, str]:
    return int(entry["size"]), str(entry["sha256"])


def promised_files(run_dir: Path, wanted: Wanted, also: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Everything that is to be delivered, the model last and its manifest after everything else.

    Args:
        run_dir: The run's folder.
        wanted: Logs, metrics and checkpoints.
        also: Further folders with a manifest; answers and scores may have failed, and then there are none.

    Raises:
        ManifestError: A folder is not what its manifest says.
    """
    files = dict(outputs_of(run_dir, wanted)["files"])
    for name in (*also, "final"):
        if not name.startswith(_MAY_BE_MISSING) or (run_dir / name / NAME).is_file():
            files |= _whole(run_dir / name, name)
    return files


def _whole(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    # What is sent is marked with the manifest's digests: they must be those of the bytes on this disk.
    if problems := check_manifest(folder):
        raise ManifestError(problems[0])
    files = {f"{name}/{path}": dict(entry) for path, entry in read_manifest(folder)["files"].items()}
    return {**files, f"{name}/{NAME}": measured(folder / NAME)}


def deliver_once(run_dir: Path, url: str, wanted: Wanted, also: Sequence[str] = ()) -> dict[str, Any]:
    """Deliver everything, and leave word of it.

    Raises:
        MirrorError: The storage cannot be had, or refused.
        ManifestError: The model is not whole.
    """
    files = promised_files(run_dir, wanted, also)
    sent = Delivery(run_dir, url).deliver(files)
    manifest_sha256 = hashlib.sha256((run_dir / "final" / NAME).read_bytes()).hexdigest()
    size = sum(int(entry["size"]) for entry in files.values())
    word = {"manifest_sha256": manifest_sha256, "to": url, "files": len(files), "bytes": size, "sent_bytes": sent}
    atomic.write_json(run_dir / "control" / DELIVERED, word)
    return word


def _patiently(asked: argparse.Namespace) -> dict[str, Any] | None:
    metrics, told = Metrics(asked.run_dir / "metrics.jsonl"), ""
    for pause in (*asked.pauses, None):
        try:
            return deliver_once(asked.run_dir, asked.to, Wanted.of(asked), asked.also)
        except (MirrorError, ManifestError, OSError) as error:
            if str(error) != told:
                told = str(error)
                metrics.note(f"the model is not delivered yet: {error}")
        if pause is not None:
            time.sleep(pause)
    return None


def main(argv: list[str]) -> int:
    """Deliver; with `--now` once, with the secrets from standard input, the answer as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    Wanted.add_to(parser)
    parser.add_argument("--to", required=True, help="az://ACCOUNT/CONTAINER/PREFIX.")
    parser.add_argument("--also", nargs="*", default=[], help="Further folders of the run that have a manifest.")
    parser.add_argument("--now", action="store_true", help="Once, for the client.")
    parser.add_argument("--pauses", type=float, nargs="*", default=list(_PAUSES_SECONDS), help="Between tries.")
    asked = parser.parse_args(argv)
    if asked.now:
        return _now(asked)
    word = _patiently(asked)
    atomic.write_json(asked.run_dir / "markers" / "deliver.json", {"delivered": word is not None})
    return 0


def _now(asked: argparse.Namespace) -> int:
    os.environ.update(json.loads(sys.stdin.readline() or "{}"))
    try:
        answer = deliver_once(asked.run_dir, asked.to, Wanted.of(asked), asked.also)
    except (MirrorError, ManifestError, OSError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)  # noqa: T201 - the client reads it over SSH
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
