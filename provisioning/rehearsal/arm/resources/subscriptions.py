"""The one subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json

_TYPE = "Microsoft.Resources/subscriptions"


def _body(call: Call) -> Json:
    subscription = call.subscription
    return {
        "id": f"/subscriptions/{subscription}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription,
        "tenantId": call.world.account.tenant_id,
        "displayName": "Rehearsal",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _get(call: Call) -> Response:
    return Response(200, _body(call))


def _list(call: Call) -> Response:
    return Response(200, {"value": [_body(call)], "count": {"type": "Total", "value": 1}})


ROUTES = [Route("GET", "/subscriptions", _list, _TYPE), Route("GET", "/subscriptions/{subscription}", _get, _TYPE)]
