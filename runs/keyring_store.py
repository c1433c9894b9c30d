"""Secrets in the system's keyring: macOS Keychain, Secret Service (GNOME, KDE); on servers there is often none."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.spec.patterns import SECRET_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "llamalift"
# A keyring does not tell what it holds, and names of secrets on disk would tell who has which accounts.
_INDEX = "llamalift secret names"
_ENVIRONMENT_INSTEAD = "set it in the environment of this command instead"


class KeyringStore:
    """Our entries in the keyring of whoever is signed in.

    Raises:
        SpecError: By whatever writes: there is no keyring, or it stays locked.
    """

    def get(self, name: str) -> str | None:
        """The value, or None: there is none, or no keyring."""
        from keyring import get_password
        from keyring.errors import KeyringError, NoKeyringError

        try:
            return get_password(SERVICE, name) or None
        except NoKeyringError:
            return None
        except KeyringError as error:
            raise _unusable(error) from error

    def set(self, name: str, value: str) -> None:
        """Keep a value.

        Raises:
            SpecError: It is empty.
        """
        from keyring import set_password

        if not value:
            raise SpecError(f"an empty value is no secret: {name}", hint=f"again: `llamalift secret set {name}`")
        with _usable():
            # The name first: what the keyring holds must never be more than what can be listed and removed.
            set_password(SERVICE, _INDEX, json.dumps(sorted({*self.names(), name})))
            set_password(SERVICE, name, value)

    def remove(self, name: str) -> bool:
        """Take a value out; False where there was none."""
        from keyring import delete_password, set_password

        with _usable():
            was_there = self.get(name) is not None
            if was_there:
                delete_password(SERVICE, name)
            names = self.names()
            if name in names:
                set_password(SERVICE, _INDEX, json.dumps([other for other in names if other != name]))
            return was_there

    def names(self) -> list[str]:
        """The names that have been set."""
        try:
            told = json.loads(self.get(_INDEX) or "[]")
        except ValueError:
            return []
        return [str(name) for name in told] if isinstance(told, list) else []


def checked_name(name: str) -> str:
    """A name that a run file could have.

    Raises:
        SpecError: It could not.
    """
    if not re.fullmatch(SECRET_NAME.strip("^$"), name):
        raise SpecError(
            f"expected the name of an environment variable, such as HF_TOKEN, found: {name!r}",
            hint="the value is asked for, it is never part of the command: `llamalift secret set HF_TOKEN`",
        )
    return name


@contextmanager
def _usable() -> Iterator[None]:
    from keyring.errors import KeyringError

    try:
        yield
    except KeyringError as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> SpecError:
    first_line = str(error).strip().partition("\n")[0]
    return SpecError(
        f"the system's keyring cannot be used: {first_line or type(error).__name__}", hint=_ENVIRONMENT_INSTEAD
    )
