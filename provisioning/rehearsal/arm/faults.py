"""Scripted faults: what goes wrong, at which call, before or after its effect; set through the private door."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.troubles import trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.rehearsal.arm.json_types import Json


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault.

    Attributes:
        method: HTTP method, or `*` for any.
        path: Regular expression searched in the path, without regard to case.
        first: The matching call that it strikes first, counted from 1.
        count: How many matching calls in a row it strikes; 0 for all that follow.
        when: Whether the status or the drop comes `before` the call's effect (which then never happens) or `after` it.
        delay_seconds: Time to wait before anything else.
        status: Answer with this HTTP status and `body` and `headers`; 0 answers normally.
        drop: Close the connection without an answer.
        operation_error: `{"code", "message"}` with which the asynchronous operation that the call starts fails.
        operation_effect: Whether that operation has its effect before it fails.
        operation_delay_seconds: Time before the operation has its effect and ends.
        survivors: Regular expression of the ids that a deletion of their group, started by the call, cannot delete: it
            deletes the others, fails with ResourceGroupDeletionBlocked, and the group is usable again.
    """

    method: str
    path: str
    first: int = 1
    count: int = 1
    when: Literal["before", "after"] = "before"
    delay_seconds: float = 0.0
    status: int = 0
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    operation_error: Mapping[str, str] | None = None
    operation_effect: bool = False
    operation_delay_seconds: float = 0.0
    survivors: str = ""

    @staticmethod
    def from_json(body: Json) -> Fault:
        """Read a fault as the control endpoint gets it: these properties, and `trouble`, which names a set of them.

        Raises:
            ArmError: 400 with what is wrong.
        """
        if "trouble" in body:
            body = {**trouble(body["trouble"]), **body}
            del body["trouble"]
        unknown = body.keys() - {known.name for known in fields(Fault)}
        if unknown or not {"method", "path"} <= body.keys():
            raise ArmError(400, "InvalidFault", f"unknown or missing fault properties: {sorted(unknown)}")
        try:
            re.compile(body["path"])
            re.compile(body.get("survivors", ""))
        except re.error as error:
            raise ArmError(400, "InvalidFault", f"the path is no regular expression: {error}") from error
        return Fault(**body)

    def matches(self, method: str, path: str) -> bool:
        """Whether the call is one of those that this fault counts."""
        return self.method in {"*", method} and re.search(self.path, path, re.IGNORECASE) is not None

    def strikes(self, nth: int) -> bool:
        """Whether it strikes the nth matching call, counted from 1."""
        return nth >= self.first and (self.count == 0 or nth < self.first + self.count)

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets something else than the call's own answer."""
        return self.drop or self.status != 0

    def response(self) -> Response:
        """The scripted answer."""
        return Response(self.status, self.body, self.headers)


class FaultList:
    """The faults in force, with how often each has been matched, and has struck. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._matched: list[int] = []
        self._struck: list[int] = []

    def replace(self, faults: Sequence[Fault]) -> None:
        """Put these in force instead of all former ones; counting starts again."""
        with self._lock:
            self._faults = list(faults)
            self._matched = [0] * len(faults)
            self._struck = [0] * len(faults)

    def take(self, method: str, path: str) -> Fault | None:
        """Count the call for every fault that it matches; the first one that is due strikes."""
        struck: Fault | None = None
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.matches(method, path):
                    self._matched[index] += 1
                    if struck is None and fault.strikes(self._matched[index]):
                        struck = fault
                        self._struck[index] += 1
        return struck

    def matched(self) -> list[int]:
        """How many calls each fault has matched so far."""
        with self._lock:
            return list(self._matched)

    def struck(self) -> list[int]:
        """How many calls each fault has struck so far."""
        with self._lock:
            return list(self._struck)
