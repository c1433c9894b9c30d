"""A keyring that is a JSON file: the same protocol as the system's, chosen by PYTHON_KEYRING_BACKEND."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.compat.properties import classproperty
from keyring.errors import KeyringLocked, PasswordDeleteError

FILE_VARIABLE = "LLAMALIFT_TEST_KEYRING"


class FileKeyring(KeyringBackend):
    """Keeps everything in the file that LLAMALIFT_TEST_KEYRING names; one that says `locked` is."""

    @classproperty
    def priority(cls) -> float:  # noqa: N805 - a property of the class
        """Only where a test says so: every backend that Python has seen is looked at."""
        if FILE_VARIABLE not in os.environ:
            raise RuntimeError("no test asked for it")
        return 1

    def get_password(self, service: str, username: str) -> str | None:
        """The value, or None."""
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a value."""
        self._write({**self._read(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        """Forget a value."""
        entries = self._read()
        if entries.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not found")
        self._write(entries)

    def _read(self) -> dict[str, str]:
        text = self._file.read_text() if self._file.exists() else "{}"
        if text == "locked":
            raise KeyringLocked("the keyring is locked")
        entries: dict[str, str] = json.loads(text)
        return entries

    def _write(self, entries: dict[str, str]) -> None:
        self._file.write_text(json.dumps(entries))

    @property
    def _file(self) -> Path:
        return Path(os.environ[FILE_VARIABLE])
