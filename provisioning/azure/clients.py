"""The SDK clients of one endpoint, each made when it is first needed: importing them costs half a second."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from azure.mgmt.core import ARMPipelineClient

from provisioning.azure import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient
    from azure.mgmt.resourcegraph import ResourceGraphClient

    from provisioning.azure.endpoint import ArmEndpoint


class _Closable(Protocol):
    def close(self) -> None: ...


ClientT = TypeVar("ClientT", bound=_Closable)


class Clients:
    """One sign-in and the clients that use it. Safe to use from several threads after `open_all`."""

    def __init__(self, endpoint: ArmEndpoint, subscription_id: str, credential: TokenCredential) -> None:
        self.endpoint = endpoint
        self.subscription_id = subscription_id
        self._credential = credential
        self._opened: list[_Closable] = []

    @cached_property
    def compute(self) -> ComputeManagementClient:
        """Machines, disks, images."""
        from azure.mgmt.compute import ComputeManagementClient

        return self._open(ComputeManagementClient)

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """Groups, listings, anything by id."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        return self._open(ResourceManagementClient)

    @cached_property
    def graph(self) -> ResourceGraphClient:
        """What exists in the whole subscription, in one query; it hears of changes late."""
        from azure.mgmt.resourcegraph import ResourceGraphClient

        options = pipeline.client_options(self.endpoint, self._credential)
        # Of all the clients, this one belongs to no subscription: each query names its own.
        return self._opened_now(ResourceGraphClient(self._credential, base_url=self.endpoint.base_url, **options))

    @cached_property
    def arm(self) -> ARMPipelineClient[HttpRequest, HttpResponse]:
        """The Resource Manager itself, for what no management package asks."""
        return self._opened_now(bare_client(self.endpoint, self._credential))

    @cached_property
    def prices(self) -> PipelineClient[HttpRequest, HttpResponse]:
        """The Retail Prices API; nobody is signed in to it."""
        return self._opened_now(pipeline.prices_client(self.endpoint))

    def open_all(self) -> None:
        """Make the clients of a launch now, before threads ask for the same one at the same time."""
        _ = self.compute, self.resources

    def close(self) -> None:
        """Close the connections."""
        for client in self._opened:
            client.close()
        # The type says that a credential can only be asked; all of azure-identity's can also be closed.
        close_credential = getattr(self._credential, "close", None)
        if close_credential is not None:
            close_credential()

    def _open(self, make: Callable[..., ClientT]) -> ClientT:
        options = pipeline.client_options(self.endpoint, self._credential)
        return self._opened_now(
            make(self._credential, self.subscription_id, base_url=self.endpoint.base_url, **options)
        )

    def _opened_now(self, client: ClientT) -> ClientT:
        self._opened.append(client)
        return client


def bare_client(endpoint: ArmEndpoint, credential: TokenCredential) -> ARMPipelineClient[HttpRequest, HttpResponse]:
    """A client for the few calls that no management package has since azure-mgmt-resource 26: subscriptions."""
    return ARMPipelineClient(endpoint.base_url, **pipeline.client_options(endpoint, credential))
