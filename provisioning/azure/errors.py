"""The one door through which the SDKs' exceptions become ours: judged by code, never by class or wording."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provisioning.azure.error_codes import NETWORK, QUOTA, SIGN_IN, THROTTLED, Meaning, meaning_of
from provisioning.azure.sign_in_errors import network_meaning, sign_in_meaning
from provisioning.errors import ThrottledError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.core.exceptions import AzureError, HttpResponseError

    from provisioning.errors import ProvisioningError

_LONGEST_MESSAGE = 400
_QUOTA_NUMBERS = re.compile(
    r"approved (?P<what>.+?) quota.*?Location: (?P<where>[^,]+), Current Limit: (?P<limit>\d+), "
    r"Current Usage: (?P<used>\d+), Additional Required: (?P<needed>\d+)",
    re.DOTALL,
)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn whatever the Azure SDKs raise inside into a `ProvisioningError` that says what was being done.

    Args:
        doing: What, as words that follow "cannot", for example `create the disk x-workspace`.

    Raises:
        ProvisioningError: The kind that the error's code stands for.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise our_error(doing, error) from error


def our_error(doing: str, error: AzureError) -> ProvisioningError:
    """The error of ours that an SDK exception stands for."""
    from azure.core.exceptions import ClientAuthenticationError, DecodeError, HttpResponseError

    if isinstance(error, DecodeError) or not isinstance(error, HttpResponseError):
        meaning = network_meaning(error) or NETWORK
        return _made(meaning, doing, shown=type(error).__name__, said=_one_line(error.message), code="")
    codes = _codes(error)
    code = codes[0] if codes else _status_as_code(error)
    # The sign-in service answers 400 or 401, in a form of its own without a code.
    is_sign_in = isinstance(error, ClientAuthenticationError) and not codes
    meaning = SIGN_IN if is_sign_in else meaning_of(error.status_code, codes)
    if meaning is SIGN_IN:
        meaning = sign_in_meaning(error)
    said = _first_line(error.message) if is_sign_in else _said(meaning, error)
    made = _made(meaning, doing, shown=code or type(error).__name__, said=said, code=code)
    asked = _asked_to_wait(error)
    if isinstance(made, ThrottledError) and asked and asked.isdigit():
        made.wait_seconds = float(asked)
    return made


def _status_as_code(error: HttpResponseError) -> str:
    return f"HTTP {error.status_code}" if error.status_code else ""


def _made(meaning: Meaning, doing: str, *, shown: str, said: str, code: str) -> ProvisioningError:
    fact = f"cannot {doing}, {meaning.fact}: {shown}"
    return meaning.error(f"{fact} ({said})" if said else fact, hint=meaning.hint, code=code)


def _codes(error: HttpResponseError) -> list[str]:
    """Outer code first. The SDK already copes with a body that lacks the `error` wrapper."""
    if error.error is None:
        return []
    outer = [error.error.code] if error.error.code else []
    return [*outer, *(detail.code for detail in error.error.details if detail.code)]


def _said(meaning: Meaning, error: HttpResponseError) -> str:
    message = (error.error.message if error.error else error.reason) or ""
    if meaning is QUOTA and (numbers := _QUOTA_NUMBERS.search(message)):
        return "{what} in {where}: {needed} more needed, {used} of {limit} in use".format(**numbers.groupdict())
    if meaning is THROTTLED and (asked := _asked_to_wait(error)):
        return f"Azure asks to wait {asked} s"
    return _one_line(message)


def _asked_to_wait(error: HttpResponseError) -> str | None:
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return headers.get("Retry-After")


def _first_line(message: str) -> str:
    # The rest lists each way of signing in that was tried, over a screen.
    return _one_line(message.splitlines()[0]) if message else ""


def _one_line(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"
