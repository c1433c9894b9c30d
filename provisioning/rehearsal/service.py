"""The emulator seen from a client: start it when it does not run, talk to it privately, let it go when it is empty."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

from provisioning.errors import RehearsalError
from provisioning.processes import is_running
from provisioning.rehearsal import files
from provisioning.rehearsal.arm.request_log import LoggedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class EmulatorHandle:
    """A running emulator.

    Attributes:
        base_url: https address of its Resource Manager, which is its sign-in authority too.
        ca_file: The certificate authority to trust.
        subscription_id: Its one subscription.
        tenant_id: Its tenant.
        client_id: The service principal to sign in as.
        client_secret: Its secret.
        pid: The emulator's process.
        state_folder: Where it keeps everything.
        client: What this client is called there; while its process lives and counts on it, the emulator stays.
    """

    base_url: str
    ca_file: Path
    subscription_id: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    pid: int
    state_folder: Path
    client: str


def ensure_running(state_folder: Path) -> EmulatorHandle:
    """Find the emulator of `<state_folder>/rehearsal`, or start it as a process of its own that outlives this one.

    Raises:
        RehearsalError: It does not come up; the hint names its log.
    """
    folder = (state_folder / "rehearsal").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RehearsalError(
            f"the rehearsal cloud has no place to live in: {folder} ({error.strerror})",
            hint="name another folder with `export LLAMALIFT_STATE_DIR=FOLDER`, then see `llamalift doctor`",
        ) from error
    with _locked(folder / files.START_LOCK):
        return _greeted(running(state_folder)) or _start(folder)


def running(state_folder: Path) -> EmulatorHandle | None:
    """The emulator of `<state_folder>/rehearsal`, if it answers; starts nothing and does not make it stay."""
    folder = (state_folder / "rehearsal").absolute()
    handle = _recorded(folder)
    if handle is None:
        return None
    try:
        status, body = call(handle, "GET", "health")
    except OSError:
        return None
    # The process that answers, not the one that wrote the file: a new one takes over the ports of one that was killed.
    return replace(handle, pid=int(body["pid"])) if status == 200 else None


def _recorded(folder: Path) -> EmulatorHandle | None:
    try:
        address = json.loads((folder / files.ADDRESS).read_text())
        account = json.loads((folder / files.ACCOUNT).read_text())
    except (OSError, ValueError):
        return None
    return EmulatorHandle(
        base_url=f"https://127.0.0.1:{address['arm_port']}",
        ca_file=folder / files.CA,
        subscription_id=account["subscription_id"],
        tenant_id=account["tenant_id"],
        client_id=account["client_id"],
        client_secret=account["client_secret"],
        pid=address["pid"],
        state_folder=folder,
        client=uuid.uuid4().hex,
    )


def _greeted(handle: EmulatorHandle | None) -> EmulatorHandle | None:
    """The same handle once the emulator knows that this process counts on it; None when it is about to leave."""
    if handle is None:
        return None
    try:
        status, _ = call(handle, "PUT", f"clients/{handle.client}", {"pid": os.getpid()})
    except OSError:
        return None
    return handle if status == 200 else None


def machine_port(handle: EmulatorHandle, address: str) -> int:
    """The SSH port of the machine that runs at `address`.

    Raises:
        RehearsalError: None runs there, or the emulator does not answer.
    """
    try:
        status, body = call(handle, "GET", f"machines/{address}")
    except OSError as error:
        raise RehearsalError(f"the rehearsal cloud does not answer: {error}") from error
    ports = body.get("ports", []) if status == 200 else []
    if len(ports) > 1:
        hint = "on this system all machines share one address: end the other run with: llamalift down RUN"
        raise RehearsalError(f"{len(ports)} machines of the rehearsal cloud run at: {address}", hint=hint)
    if not ports:
        raise RehearsalError(f"no machine of the rehearsal cloud runs at: {address}", hint="llamalift status RUN")
    return int(ports[0])


def stop_if_empty(handle: EmulatorHandle) -> bool:
    """This client needs the emulator no more: it ends when nothing exists in it and no other client counts on it.

    Returns:
        Whether it is gone.
    """
    try:
        _, body = call(handle, "DELETE", f"clients/{handle.client}")
    except OSError:
        return _is_gone(handle)
    return bool(body.get("stopping")) and _wait_until(lambda: _is_gone(handle), _STOP_SECONDS)


def end(handle: EmulatorHandle) -> bool:
    """End the emulator and its machines; what exists stays in its state folder. True when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(handle.pid, signal.SIGTERM)
    return _wait_until(lambda: _is_gone(handle), _STOP_SECONDS)


def script_faults(handle: EmulatorHandle, *faults: Mapping[str, Any]) -> None:
    """Put scripted faults (`provisioning.rehearsal.arm.faults.Fault`) in force instead of all former ones.

    Raises:
        RehearsalError: The emulator refuses them.
    """
    status, body = call(handle, "PUT", "faults", {"faults": list(faults)})
    if status != 200:
        raise RehearsalError(f"the rehearsal cloud refuses the faults: {body}")


def struck_faults(handle: EmulatorHandle) -> list[int]:
    """How many calls each of the scripted faults has struck.

    Raises:
        OSError: No answer.
    """
    struck: list[int] = call(handle, "GET", "faults")[1]["struck"]
    return struck


def change_settings(handle: EmulatorHandle, **settings: object) -> None:
    """Change settings of the cloud (`provisioning.rehearsal.arm.world.Settings`).

    Raises:
        RehearsalError: The emulator refuses them.
    """
    status, body = call(handle, "PATCH", "settings", settings)
    if status != 200:
        raise RehearsalError(f"the rehearsal cloud refuses the settings: {body}")


def jump_clock(handle: EmulatorHandle, seconds: float) -> None:
    """Put the cloud's clock forward; what becomes due happens at once. Tokens go by that clock: sign in again.

    Raises:
        RehearsalError: The emulator refuses it.
    """
    status, body = call(handle, "POST", "clock", {"jump_seconds": seconds})
    if status != 200:
        raise RehearsalError(f"the rehearsal cloud does not change its clock: {body}")


def evict(handle: EmulatorHandle, machine: str, *, notice_seconds: float = 0.0) -> None:
    """Take a machine away as Azure takes a spot machine, announced so long ahead; 0 without a word.

    Raises:
        RehearsalError: There is no machine of that name.
    """
    status, body = call(handle, "POST", "evictions", {"machine": machine, "notice_seconds": notice_seconds})
    if status != 200:
        raise RehearsalError(f"the rehearsal cloud does not evict it: {body}")


def logged_requests(handle: EmulatorHandle, after: int = 0) -> list[LoggedRequest]:
    """The calls that the emulator has answered since it started, or only those with a number above `after`.

    Raises:
        OSError: No answer.
    """
    _, body = call(handle, "GET", f"requests?after={after}")
    return [LoggedRequest(**one) for one in body["requests"]]


def witness(handle: EmulatorHandle) -> dict[str, Any]:
    """What exists in the cloud (`existing`, ids), whether work is under way (`busy`), what was done to `machines`.

    The last is the report of `provisioning.rehearsal.arm.witness.Witness`, by resource group.

    Raises:
        OSError: No answer.
    """
    return call(handle, "GET", "witness")[1]


def call(
    handle: EmulatorHandle, method: str, path: str, body: Mapping[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """One call to the emulator's private door; the status and the JSON answer.

    Raises:
        OSError: No answer.
    """
    context = _trusting(handle.ca_file.read_text())
    host, port = handle.base_url.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), timeout=_CALL_SECONDS, context=context)
    headers = {"Authorization": f"Secret {handle.client_secret}"}
    with contextlib.closing(connection):
        try:
            connection.request(method, f"/llamalift/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error


# Making one takes longer than a call does.
@functools.lru_cache(maxsize=4)
def _trusting(authority: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority)


def _start(folder: Path) -> EmulatorHandle:
    hint = f"see its log: {folder / files.LOG}"
    # One that is about to leave still ends its machines; the folder is free when its lock is.
    if not _wait_until(lambda: _is_free(folder), _STOP_SECONDS):
        raise RehearsalError("a former process of the rehearsal cloud neither answers nor ends", hint=hint)
    process = _spawn(folder)
    found: list[EmulatorHandle] = []

    def is_up() -> bool:
        handle = _greeted(running(folder.parent))
        found.extend([handle] if handle is not None else [])
        return bool(found) or process.poll() is not None

    _wait_until(is_up, _START_SECONDS)
    if not found:
        raise RehearsalError("the rehearsal cloud did not start", hint=hint)
    return found[0]


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / files.LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "provisioning.rehearsal.serve", "--state", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
            env=_environment(),
        )


def _environment() -> dict[str, str]:
    # The emulator imports the same code as its starter, wherever that was found.
    root = os.fspath(files.__file__).rpartition("/provisioning/")[0]
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path}


def _is_gone(handle: EmulatorHandle) -> bool:
    """Its lock is free a moment before the kernel has cleared its process away."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(handle.pid, os.WNOHANG)
    return _is_free(handle.state_folder) and not is_running(handle.pid)


def _is_free(folder: Path) -> bool:
    with _try_lock(folder / files.LOCK) as taken:
        return taken


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _try_lock(file: Path) -> Iterator[bool]:
    lock: IO[str]
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
