"""Where an operation is polled: signed, provider-specific URLs that only the server may build."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.operations import Operation

# The rehearsal cloud is ready in a fraction of a second; Azure asks for 10 s and more.
_POLL_MILLISECONDS = "100"


@dataclass(frozen=True, slots=True)
class OperationUrls:
    """Builds and checks operation URLs.

    Attributes:
        base_url: Where the emulator listens.
        subscription: The subscription in every URL.
        tenant: Named in `x-ms-operation-identifier`.
        key: Signs the URLs.
    """

    base_url: str
    subscription: str
    tenant: str
    key: bytes

    def compute(
        self, operation: Operation, region: str, api_version: str, *, kind: str = "operations"
    ) -> dict[str, str]:
        """Headers of a compute operation (`kind` is `DiskOperations` for disks), for PUT."""
        path = f"{self._provider('Microsoft.Compute', region)}/{kind}/{operation.id}"
        return {"Azure-AsyncOperation": self._url(path, api_version), **self._common(operation, region)}

    def compute_location(self, operation: Operation, region: str, api_version: str, *, kind: str = "operations") -> str:
        """Location of the same operation, for DELETE and POST."""
        path = f"{self._provider('Microsoft.Compute', region)}/{kind}/{operation.id}"
        return self._url(path, api_version, monitor="true")

    def network(self, operation: Operation, region: str, api_version: str) -> dict[str, str]:
        """Headers of a network operation, for PUT."""
        path = f"{self._provider('Microsoft.Network', region)}/operations/{operation.id}"
        headers = {"Azure-AsyncOperation": self._url(path, api_version), "Azure-AsyncNotification": "Enabled"}
        return {**headers, **self._common(operation, region)}

    def network_location(self, operation: Operation, region: str, api_version: str) -> str:
        """Location of the same operation, for DELETE."""
        return self._url(f"{self._provider('Microsoft.Network', region)}/operationResults/{operation.id}", api_version)

    def group(self, operation: Operation, region: str, api_version: str) -> dict[str, str]:
        """Headers of a group deletion: Location only."""
        job = f'{{"jobId":"RESOURCEGROUPDELETIONJOB-{operation.id}","jobLocation":"{region}"}}'
        token = base64.urlsafe_b64encode(job.encode()).decode().rstrip("=")
        path = f"/subscriptions/{self.subscription}/operationresults/{token}"
        return {"Location": self._url(path, api_version), "x-ms-retry-after-ms": _POLL_MILLISECONDS}

    def check(self, path: str, query: Mapping[str, str]) -> None:
        """Refuse a URL that the client has rebuilt.

        Raises:
            ArmError: 403 when a signed part is missing or changed.
        """
        expected = self._signature(path, query.get("t", ""), query.get("c", ""))
        if not hmac.compare_digest(expected, query.get("s", "")):
            raise ArmError(
                403, "AuthorizationFailed", "The signature of the operation URL is missing or does not match."
            )

    def _provider(self, namespace: str, region: str) -> str:
        return f"/subscriptions/{self.subscription}/providers/{namespace}/locations/{region}"

    def _common(self, operation: Operation, region: str) -> dict[str, str]:
        identifier = f"tenantId={self.tenant},objectId={self.tenant}/{region}/{operation.id}"
        return {"x-ms-operation-identifier": identifier, "x-ms-retry-after-ms": _POLL_MILLISECONDS}

    def _url(self, path: str, api_version: str, **more: str) -> str:
        signed_at, nonce = str(time.time_ns() // 100), base64.urlsafe_b64encode(operation_nonce(path)).decode()
        query = {
            "api-version": api_version,
            **more,
            "t": signed_at,
            "c": nonce,
            "s": self._signature(path, signed_at, nonce),
            "h": hashlib.sha256(path.encode()).hexdigest(),
        }
        return f"{self.base_url}{path}?{urlencode(query)}"

    def _signature(self, path: str, signed_at: str, nonce: str) -> str:
        signed = f"{path.lower()}\n{signed_at}\n{nonce}".encode()
        return hmac.new(self.key, signed, hashlib.sha256).hexdigest()


def operation_nonce(path: str) -> bytes:
    """A long opaque part: real ones make header URLs of more than a kilobyte."""
    return hashlib.shake_256(path.encode()).digest(600)
