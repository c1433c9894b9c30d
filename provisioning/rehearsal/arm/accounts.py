"""Who may use the rehearsal cloud: one subscription, one service principal, tokens signed by the emulator itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.arm.json_types import Json

TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class RehearsalAccount:
    """The one account; made once per state folder, so that a restarted emulator keeps its ids and tokens."""

    subscription_id: str
    tenant_id: str
    client_id: str
    client_secret: str
    principal_id: str
    signing_key: str

    @staticmethod
    def load_or_make(file: Path) -> RehearsalAccount:
        """Read the account, or make one in a file that only its owner can read."""
        if file.exists():
            return RehearsalAccount(**json.loads(file.read_text()))
        ids = [str(uuid.uuid4()) for _ in range(4)]
        account = RehearsalAccount(ids[0], ids[1], ids[2], secrets.token_urlsafe(32), ids[3], secrets.token_hex(32))
        draft = file.with_suffix(".part")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(account)))
        draft.replace(file)
        return account

    @property
    def key(self) -> bytes:
        """The key under every signature of this emulator."""
        return bytes.fromhex(self.signing_key)

    def token(self, principal: str, audience: str, *, now: float) -> str:
        """A bearer token (JWT) for a principal, valid for TOKEN_SECONDS from `now` (seconds since the epoch)."""
        issued = int(now)
        claims = {"aud": audience, "iss": "rehearsal", "iat": issued, "nbf": issued, "exp": issued + TOKEN_SECONDS}
        claims |= {"oid": principal, "tid": self.tenant_id, "sub": principal}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._sign(signed)}"

    def principal_of(self, authorization: str, *, now: float) -> str:
        """The object id of the caller from an Authorization header, at `now` (seconds since the epoch).

        Raises:
            ArmError: 401 AuthenticationFailed without a token, InvalidAuthenticationToken or
                ExpiredAuthenticationToken with a bad one.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._unauthorized(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(signed), signature):
            raise self._unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
        claims = _decode(signed.partition(".")[2])
        if claims["exp"] < now:
            raise self._unauthorized(
                "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now."
            )
        return str(claims["oid"])

    def known_principal(self, authorization: str, *, now: float) -> str:
        """As `principal_of`, but empty where that refuses."""
        try:
            return self.principal_of(authorization, now=now)
        except ArmError:
            return ""

    def _sign(self, text: str) -> str:
        return _text64(hmac.new(self.key, text.encode(), hashlib.sha256).digest())

    def _unauthorized(self, code: str, message: str) -> ArmError:
        challenge = f'Bearer authorization_uri="https://login.windows.net/{self.tenant_id}", error="invalid_token"'
        return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})


def _encode(value: Json) -> str:
    return _text64(json.dumps(value).encode())


def _decode(text: str) -> Json:
    decoded: Json = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def _text64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
