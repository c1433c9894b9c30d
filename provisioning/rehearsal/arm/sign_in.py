"""The sign-in service: OpenID discovery and the client-credentials grant, as azure-identity asks for them."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from provisioning.rehearsal.arm.accounts import TOKEN_SECONDS
from provisioning.rehearsal.arm.http import Response

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.world import World


def answer_sign_in(request: Request, world: World) -> Response | None:
    """Answer a sign-in call; None when the path is not one."""
    tenant = f"/{world.account.tenant_id}"
    if request.path == f"{tenant}/v2.0/.well-known/openid-configuration":
        return _discovery(f"{world.urls.base_url}{tenant}")
    if request.path == f"{tenant}/oauth2/v2.0/token" and request.method == "POST":
        return _token(request, world)
    return None


def _discovery(issuer: str) -> Response:
    return Response(
        200,
        {
            "issuer": f"{issuer}/v2.0",
            "authorization_endpoint": f"{issuer}/oauth2/v2.0/authorize",
            "token_endpoint": f"{issuer}/oauth2/v2.0/token",
            "jwks_uri": f"{issuer}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
    )


def _token(request: Request, world: World) -> Response:
    account = world.account
    form = dict(parse_qsl(request.body.decode()))
    if form.get("grant_type") != "client_credentials":
        return _refused("unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
    if form.get("client_id") != account.client_id:
        message = f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found in the directory."
        return _refused("unauthorized_client", message)
    if not hmac.compare_digest(form.get("client_secret", ""), account.client_secret):
        return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", status=401)
    audience = form.get("scope", "").removesuffix("/.default")
    token = account.token(account.principal_id, audience, now=world.now())
    times = {"expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS}
    return Response(200, {"token_type": "Bearer", **times, "access_token": token})


def _refused(error: str, description: str, *, status: int = 400) -> Response:
    return Response(status, {"error": error, "error_description": description, "error_codes": [], "trace_id": ""})
