from __future__ import annotations

import pytest

from remote.errors import TransferError
from remote.hub import HubUri, parse_hub_uri


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("hf://o/m", HubUri("model", "o/m", None, None)),
        ("hf://o/m@v1.0", HubUri("model", "o/m", "v1.0", None)),
        ("hf://o/m@refs%2Fpr%2F1/a/b.json", HubUri("model", "o/m", "refs/pr/1", "a/b.json")),
        ("hf://datasets/o/d", HubUri("dataset", "o/d", None, None)),
        ("hf://datasets/o/d@main/x.json", HubUri("dataset", "o/d", "main", "x.json")),
    ],
)
def test_addresses_are_taken_apart(uri: str, parts: HubUri) -> None:
    """Kind, repository, revision and file."""
    assert parse_hub_uri(uri) == parts


@pytest.mark.parametrize("uri", ["hf://", "hf://o", "hf://o/", "hf://-o/m", "https://o/m", "hf://o/m@", "hf://o/m/"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    """Told with the form that is meant."""
    with pytest.raises(TransferError) as caught:
        parse_hub_uri(uri)
    assert "hf://owner/name" in caught.value.hint
