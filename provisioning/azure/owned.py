"""Finds everything of ours in the subscription: one query of Resource Graph, each find confirmed by reading it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from provisioning.azure.errors import translated
from provisioning.azure.inventory import Inventory, or_none, unique
from provisioning.azure.naming import GROUP_PREFIX, RUN_TAG, Names, ref_of
from provisioning.azure.owned_rows import Row, assembled, row_of
from provisioning.errors import ProvisioningError, SignInError
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioning.azure.clients import Clients
    from provisioning.owned_types import OwnedRun
    from provisioning.types import ResourceRef

_PAGE = 1000
_READERS = 8
# What carries our tag, and what lies in a group with a name of ours: an OS disk has no tags, and is ours if its group
# is. In Resource Graph, group names are lower case.
_OURS = f"""
ResourceContainers
| where type =~ 'microsoft.resources/subscriptions/resourcegroups'
| union Resources
| extend tag = tostring(tags['{RUN_TAG}'])
| where isnotempty(tag) or resourceGroup startswith '{GROUP_PREFIX}'
| extend run = iff(isnotempty(tag), tag, substring(resourceGroup, {len(GROUP_PREFIX)}))
"""
# One row a run: a thousand runs are one page, whatever they are made of.
_BY_RUN = """
| summarize items = make_list(bag_pack(
    'id', id, 'location', location, 'tags', tags, 'sku', sku.name, 'size', properties.hardwareProfile.vmSize,
    'gib', properties.diskSizeGB, 'priority', properties.priority, 'created', properties.timeCreated,
    'power', properties.extended.instanceView.powerState.code)) by run
| order by run asc
"""
_ONE_BY_ONE = """
| project id, location, tags, sku = sku.name, size = properties.hardwareProfile.vmSize, gib = properties.diskSizeGB,
    priority = properties.priority, created = properties.timeCreated,
    power = properties.extended.instanceView.powerState.code
| order by id asc
"""


class OwnedSearch:
    """Looks at everything of ours in one subscription; changes nothing."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def run(self, *, confirm: bool) -> list[OwnedRun]:
        """Every run of which anything exists.

        Args:
            confirm: Read each find, so that nothing is told that is gone already, and list our groups, so that nothing
                is missed that Resource Graph has not heard of. Without it the answer takes one call for up to 1,000
                runs, and is as old as Resource Graph is (seconds to minutes).

        Raises:
            ProvisioningError: Neither Resource Graph nor the Resource Manager can be asked.
        """
        try:
            rows, must_read = list(self._from_graph()), confirm
        except SignInError:
            raise
        except ProvisioningError:
            # Without Resource Graph, lists say what exists, and reading says what it is.
            rows, must_read = self._tagged(), True
        if must_read:
            rows = self._confirmed([*rows, *self._groups()])
        return assembled(self._clients.subscription_id, rows)

    def _from_graph(self) -> Iterator[Row]:
        answer = self._ask(_OURS + _BY_RUN)
        if answer.result_truncated == "true":
            yield from self._from_graph_by_pages()
            return
        for group in answer.data:
            yield from map(row_of, group["items"])

    def _from_graph_by_pages(self) -> Iterator[Row]:
        token: str | None = ""
        while token is not None:
            answer = self._ask(_OURS + _ONE_BY_ONE, token)
            yield from map(row_of, answer.data)
            token = answer.skip_token

    def _ask(self, query: str, token: str = "") -> Any:  # noqa: ANN401 - the SDK calls the rows an object
        from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

        options = QueryRequestOptions(top=_PAGE, skip_token=token or None, result_format="objectArray")
        request = QueryRequest(query=query, subscriptions=[self._clients.subscription_id], options=options)
        with translated("ask Resource Graph what exists"):
            return self._clients.graph.resources(request)

    def _tagged(self) -> list[Row]:
        """By the Resource Manager's own list, which does not say what the tag's value is."""
        with translated(f"list what is tagged {RUN_TAG}"):
            return [
                Row(ref_of(str(item["id"])))
                for item in self._clients.resources.resources.list(filter=f"tagName eq '{RUN_TAG}'")
            ]

    def _groups(self) -> Iterator[Row]:
        """Our groups as the Resource Manager lists them, with what is in each."""
        with translated(f"list the resource groups that are tagged {RUN_TAG}"):
            groups = [
                dict(group) for group in self._clients.resources.resource_groups.list(filter=f"tagName eq '{RUN_TAG}'")
            ]
        yield from map(row_of, groups)
        for group in groups:
            run_id = str((group.get("tags") or {}).get(RUN_TAG, ""))
            names = Names(self._clients.subscription_id, run_id)
            if names.group.lower() == str(group["name"]).lower():
                yield from (Row(ref) for ref in Inventory(self._clients, names).contents())

    def _confirmed(self, rows: Iterable[Row]) -> list[Row]:
        """Every find as it is now, without those that answer 404."""
        self._clients.open_all()
        refs = unique(row.ref for row in rows)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="confirm") as readers:
            bodies = list(readers.map(self._read, refs))
        return [row_of({**body, "id": ref.resource_id}) for ref, body in zip(refs, bodies, strict=True) if body]

    def _read(self, ref: ResourceRef) -> Mapping[str, Any] | None:
        inventory = Inventory(self._clients, Names(self._clients.subscription_id, ""))
        if ref.kind is not ResourceKind.VIRTUAL_MACHINE:
            return inventory.read(ref)
        group, machines = ref.resource_id.split("/")[4], self._clients.compute.virtual_machines
        return or_none(lambda: machines.get(group, ref.name, expand="instanceView"), f"look at {ref.name}")
