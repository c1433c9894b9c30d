"""Asynchronous operations: durable, run by worker threads, continued after the emulator was killed."""

from __future__ import annotations

import threading
import traceback
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from provisioning.errors import RehearsalError
from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioning.rehearsal.arm.faults import Fault
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Store

_PREFIX = "operation:"
_WORKERS = 16
_KEPT = timedelta(days=1)
# A machine boots while the operation is under way; these actions wait out the rest of it themselves.
_BOOTING = frozenset({"machine-create", "machine-start"})


@dataclass(slots=True)
class Operation:
    """One asynchronous operation.

    Attributes:
        id: What its URL ends with.
        action: Name of the function that does it.
        target: Id of the resource that it works on.
        status: `InProgress`, `Succeeded` or `Failed`.
        arguments: What the action needs besides the target.
        error: ARM error object of a failed operation.
        error_status: HTTP status of that error where a poll answers with it (group deletion).
        output: `properties.output` of the finished operation, where the provider gives one.
        scripted: The part of a scripted fault that strikes the operation rather than the call.
    """

    id: str
    action: str
    target: str
    started_at: str
    ended_at: str = ""
    status: str = "InProgress"
    arguments: Json = field(default_factory=dict)
    error: Json | None = None
    error_status: int = 0
    output: Json | None = None
    scripted: Json = field(default_factory=dict)

    def fail(self, error: ArmError) -> None:
        """Note how it failed."""
        self.status, self.error, self.error_status = "Failed", error.error(), error.status


class Action(Protocol):
    """Does an operation. It runs again from the start after the emulator was killed, so it must be idempotent."""

    def __call__(self, operation: Operation) -> Json | None:
        """Do it; returns the operation's output. Raises ArmError when it fails."""
        ...


class Operations:
    """Starts operations, finds them, waits for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._actions: dict[str, Action] = {}
        self._on_failure: Callable[[Operation], None] = lambda _operation: None
        self._latency_seconds: Callable[[str, str], float] = lambda _action, _target: 0.0
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="operation")
        self._lock = threading.Lock()
        self._known = _recent(store)
        self._closing = threading.Event()
        self._queues: dict[str, deque[Operation]] = {}

    def use(
        self,
        actions: Mapping[str, Action],
        on_failure: Callable[[Operation], None],
        latency_seconds: Callable[[str, str], float],
    ) -> None:
        """Say what is not known here, then continue what was cut off.

        Args:
            actions: What the actions do.
            on_failure: Marks a target whose operation failed.
            latency_seconds: How long an action on a target takes at least.
        """
        self._actions = dict(actions)
        self._on_failure = on_failure
        self._latency_seconds = latency_seconds
        for operation in self._unfinished():
            self._enqueue(operation)

    def start(self, action: str, target: str, fault: Fault | None, **arguments: object) -> Operation:
        """Begin an operation; it is durable when this returns."""
        scripted = {"latency_seconds": self._latency_seconds(action, target), **_scripted(fault)}
        operation = Operation(str(uuid.uuid4()), action, target, now_text(), arguments=arguments, scripted=scripted)
        self._keep(operation)
        self._enqueue(operation)
        return operation

    def get(self, operation_id: str) -> Operation | None:
        """The operation with this id."""
        with self._lock:
            return self._known.get(_PREFIX + operation_id)

    def running_on(self, target: str, *actions: str) -> Operation | None:
        """The unfinished operation on `target`, if there is one (of these actions, when any are named)."""
        for operation in self._unfinished():
            if operation.target.lower() == target.lower() and (not actions or operation.action in actions):
                return operation
        return None

    @property
    def busy(self) -> bool:
        """Whether any operation is unfinished."""
        return bool(self._unfinished())

    def close(self) -> None:
        """Take no new work; what runs is continued at the next start."""
        self._closing.set()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def wait_out(self, operation: Operation) -> bool:
        """Let the operation take as long as it is said to take, from its start; False when the emulator is closing."""
        due = datetime.fromisoformat(operation.started_at).timestamp() + operation.scripted.get("latency_seconds", 0.0)
        return not self._closing.wait(max(0.0, due - datetime.now(UTC).timestamp()))

    def _unfinished(self) -> list[Operation]:
        with self._lock:
            return [operation for operation in self._known.values() if operation.status == "InProgress"]

    def _enqueue(self, operation: Operation) -> None:
        # Operations on one resource run one after another, in the order in which they were accepted.
        with self._lock:
            waiting = self._queues.get(operation.target.lower())
            if waiting is not None:
                waiting.append(operation)
                return
            self._queues[operation.target.lower()] = deque()
        self._workers.submit(self._run_queue, operation)

    def _run_queue(self, operation: Operation) -> None:
        next_one: Operation | None = operation
        while next_one is not None and not self._closing.is_set():
            self._run(next_one)
            with self._lock:
                waiting = self._queues[operation.target.lower()]
                next_one = waiting.popleft() if waiting else None
                if next_one is None:
                    del self._queues[operation.target.lower()]

    def _keep(self, operation: Operation) -> None:
        with self._lock:
            self._known[_PREFIX + operation.id] = operation
        self._store.put_fact(_PREFIX + operation.id, asdict(operation))

    def _run(self, operation: Operation) -> None:
        # A slow operation has its effect at its end, as on Azure: until then the resource is still there, or not yet.
        if self._closing.wait(float(operation.scripted.get("delay_seconds", 0.0))):
            return
        if operation.action not in _BOOTING and not self.wait_out(operation):
            return
        outcome = Operation(**asdict(operation))
        self._try(operation, outcome)
        if self._closing.is_set():
            return
        outcome.ended_at = now_text()
        if outcome.status == "Failed":
            self._on_failure(outcome)
        self._keep(outcome)

    def _try(self, operation: Operation, outcome: Operation) -> None:
        try:
            outcome.output = self._effect(operation)
            outcome.status = "Succeeded"
        except ArmError as error:
            outcome.fail(error)
        except RehearsalError as error:
            outcome.fail(ArmError(409, "OSProvisioningInternalError", f"{error.fact} {error.hint}".strip()))
        except Exception:  # noqa: BLE001 - a fault of ours must end the operation too, or its client polls for ever
            traceback.print_exc()
            outcome.fail(ArmError(500, "InternalServerError", "The rehearsal cloud failed: see its log."))

    def _effect(self, operation: Operation) -> Json | None:
        error = operation.scripted.get("error")
        action = self._actions[operation.action]
        output = action(operation) if error is None or operation.scripted["effect"] else None
        if error is not None:
            raise ArmError(409, error["code"], error["message"])
        return output


def _recent(store: Store) -> dict[str, Operation]:
    known = {key: Operation(**record) for key, record in store.facts(_PREFIX).items()}
    oldest = (datetime.now(UTC) - _KEPT).isoformat()
    for key, operation in list(known.items()):
        if operation.ended_at and operation.ended_at < oldest:
            store.remove_facts(key)
            del known[key]
    return known


def now_text() -> str:
    """The present moment as ARM writes it."""
    return datetime.now(UTC).isoformat()


def _scripted(fault: Fault | None) -> Json:
    if fault is None:
        return {}
    scripted: Json = {"delay_seconds": fault.operation_delay_seconds, "effect": fault.operation_effect}
    if fault.operation_error is not None:
        scripted["error"] = dict(fault.operation_error)
    if fault.survivors:
        scripted["survivors"] = fault.survivors
    return scripted
