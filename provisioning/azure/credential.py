"""One sign-in for many threads: the first asks, the others wait for its token."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

# A token is asked for anew when less than this is left of it, as azure-identity does.
_SPARE_SECONDS = 300.0


class SharedCredential:
    """Keeps a credential's token until it is nearly over.

    The credential of `az login` starts a process of a second for each token; without this, questions that go out side
    by side would start one each.
    """

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, ...], AccessToken] = {}

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **more: Any,  # noqa: ANN401  (the SDK's signature)
    ) -> AccessToken:
        """A token for the scopes; one that the cloud asks more of (`claims`) is always a new one."""
        with self._lock:
            known = self._tokens.get(scopes)
            if known is None or claims is not None or known.expires_on - time.time() < _SPARE_SECONDS:
                known = self._credential.get_token(
                    *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **more
                )
                self._tokens[scopes] = known
            return known

    def close(self) -> None:
        """Close the connections of the credential, where it has any."""
        # The type says that a credential can only be asked; all of azure-identity's can also be closed.
        close_credential = getattr(self._credential, "close", None)
        if close_credential is not None:
            close_credential()
