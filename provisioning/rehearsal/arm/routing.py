"""Which function answers which call: a table of patterns, matched without regard to case."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.http import Response

    Handler: TypeAlias = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    Attributes:
        method: HTTP method.
        pattern: Path with `{name}` for a part that varies.
        handler: Answers the call.
        resource_type: What it is about; decides which api-versions are known.
    """

    method: str
    pattern: str
    handler: Handler
    resource_type: str

    def match(self, words: list[str]) -> dict[str, str] | None:
        """The varying parts of a path split at its slashes, or None when this is another path."""
        found: dict[str, str] = {}
        for expected, word in zip(self.pattern.strip("/").split("/"), words, strict=True):
            if expected.startswith("{"):
                found[expected[1:-1]] = word
            elif expected.lower() != word.lower():
                return None
        return found


class Router:
    """Finds the route of a call."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: Mapping[int, list[Route]] = defaultdict(list)
        for route in routes:
            self._by_length[len(route.pattern.strip("/").split("/"))].append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the varying parts of the path.

        Raises:
            ArmError: 404 for a path that nobody knows, 405 for a known path with another method.
        """
        words = path.strip("/").split("/")
        other_method = False
        for route in self._by_length.get(len(words), ()):
            found = route.match(words)
            if found is not None and route.method == method:
                return route, found
            other_method = other_method or found is not None
        if other_method:
            raise ArmError(405, "MethodNotAllowed", f"The HTTP method '{method}' is not supported at this resource.")
        raise ArmError(404, "InvalidResourceType", f"The resource type could not be found in the path: {path}")
