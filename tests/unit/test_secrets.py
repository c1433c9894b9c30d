"""Where values of secrets come from, and what hides them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backends import fail
from typer.testing import CliRunner

from cli.app import app
from remote.errors import CommandFailedError
from runs.errors import SpecError
from runs.keyring_store import KeyringStore
from runs.masking import mask_error
from runs.secrets import masker_for, read_secrets
from tests.fakes.file_keyring import FILE_VARIABLE, FileKeyring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUE = "hf_a-made-up-value"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The keyring's file; nothing is in the environment."""
    before = keyring.get_keyring()
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "keyring"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    keyring.set_keyring(FileKeyring())  # type: ignore[no-untyped-call]  # its base class has no types
    yield tmp_path / "keyring"
    keyring.set_keyring(before)


def say(*words: str, stdin: str = "") -> tuple[int, str]:
    """`llamalift secret …`: exit code, and all that it printed."""
    done = CliRunner().invoke(app, ["secret", *words], input=stdin)
    return done.exit_code, done.output


@pytest.mark.usefixtures("file")
def test_a_value_is_kept_listed_used_and_removed() -> None:
    """Read from standard input, never printed; a run file that names it needs no environment."""
    code, said = say("set", "HF_TOKEN", stdin=f"{VALUE}\n")
    assert (code, VALUE in said) == (0, False)
    assert say("list") == (0, "HF_TOKEN\n")
    assert read_secrets(["HF_TOKEN"]) == {"HF_TOKEN": VALUE}
    assert say("rm", "HF_TOKEN")[0] == 0
    assert say("list") == (0, "")
    with pytest.raises(SpecError, match="HF_TOKEN") as caught:
        read_secrets(["HF_TOKEN"])
    assert "llamalift secret set HF_TOKEN" in caught.value.hint
    assert "has no HF_TOKEN" in say("rm", "HF_TOKEN")[1]


@pytest.mark.usefixtures("file")
def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one command, as everywhere else."""
    KeyringStore().set("HF_TOKEN", VALUE)
    monkeypatch.setenv("HF_TOKEN", "hf_another-value")
    assert read_secrets(["HF_TOKEN"]) == {"HF_TOKEN": "hf_another-value"}


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("name", ["", "hf_token", "HF-TOKEN", "hf_abcdefgh", "HF_TOKEN\n"])
def test_what_could_be_a_value_is_no_name(name: str) -> None:
    """Somebody who gives the value as the name is told before anything is kept."""
    with pytest.raises(SpecError):
        CliRunner().invoke(app, ["secret", "set", name], input=VALUE, catch_exceptions=False)
    assert KeyringStore().names() == []


def test_a_locked_keyring_is_told(file: Path) -> None:
    """Not taken for one without the value."""
    file.write_text("locked")
    with pytest.raises(SpecError, match="locked"):
        read_secrets(["HF_TOKEN"])


def test_a_server_without_a_keyring_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment does; where it does not, the name is told; keeping one is refused."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # as above
    try:
        monkeypatch.setenv("HF_TOKEN", VALUE)
        assert read_secrets(["HF_TOKEN"]) == {"HF_TOKEN": VALUE}
        with pytest.raises(SpecError, match="WANDB_API_KEY"):
            read_secrets(["WANDB_API_KEY"])
        with pytest.raises(SpecError, match="cannot be used"):
            KeyringStore().set("HF_TOKEN", VALUE)
    finally:
        keyring.set_keyring(before)


@pytest.mark.usefixtures("file")
def test_what_was_read_is_hidden_in_errors() -> None:
    """A machine that repeats a value in its complaint: neither fact, hint, nor what it said has it."""
    KeyringStore().set("HF_TOKEN", VALUE)
    read_secrets(["HF_TOKEN"])
    error = CommandFailedError(
        f"fetching with {VALUE} failed", exit_code=1, stderr=f"401: {VALUE}", hint=f"not {VALUE}"
    )
    mask_error(masker_for(["HF_TOKEN"]), error)
    assert VALUE not in f"{error}{error!r}{error.fact}{error.hint}{error.stderr}"
    assert str(error).startswith("fetching with *")
