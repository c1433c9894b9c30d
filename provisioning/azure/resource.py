"""What every resource of a run can do: say its body, be read, be created, be destroyed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioning.azure.naming import RUN_TAG
from provisioning.types import ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.azure.operations import Wait
    from provisioning.types import MachineRequest


@dataclass(frozen=True, slots=True)
class OwnedResource(ABC):
    """One resource of one run.

    Bodies are wire JSON: it is what Azure's documentation shows and what a snapshot can be reviewed as. (The SDK's
    TypedDicts would demand every optional key, its models would hide the JSON.) Tests check each against the models.

    Attributes:
        request: What the run asks for.
        names: The run's names.
    """

    request: MachineRequest
    names: Names

    kind: ClassVar[ResourceKind]
    # Dotted paths of the body that Azure cannot change later: a difference there means that the resource is not the
    # one that is asked for.
    fixed: ClassVar[tuple[str, ...]] = ("location",)
    # Whether a difference elsewhere is mended by sending the body again.
    renewable: ClassVar[bool] = False
    # Whether the listing of a group shows it; what it does not show must be read to be seen.
    listed: ClassVar[bool] = True

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name."""

    @property
    @abstractmethod
    def detail(self) -> str:
        """What it is, in a few words, for the plan."""

    @abstractmethod
    def body(self) -> dict[str, Any]:
        """The request body. No network."""

    @abstractmethod
    def read(self, clients: Clients) -> Mapping[str, Any]:
        """What the cloud says of it now; raises the SDK's exception when it is not there."""

    @abstractmethod
    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it, or bring it to what `body` says, and return what the cloud made."""

    @abstractmethod
    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it alone."""

    @property
    def resource_id(self) -> str:
        """Full ARM id."""
        return self.names.id_of(self.kind, self.name)

    @property
    def ref(self) -> ResourceRef:
        """How the ledger knows it."""
        return ResourceRef(kind=self.kind, name=self.name, resource_id=self.resource_id)

    @property
    def tags(self) -> dict[str, str]:
        """The request's tags, and the one by which we know what is ours."""
        return {**self.request.tags, RUN_TAG: self.names.run_id}
